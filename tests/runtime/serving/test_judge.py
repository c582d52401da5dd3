"""The judge, over real HTTP: what it is sent, what is made of its words, and what it refuses."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from plan.evaluation import Judge, Question
from runtime.failure import StepError
from runtime.serving import judge
from runtime.serving.asking import Answer

QUESTION = Question(messages=({"role": "user", "content": "Where?"},), expect="At the pond.")


class Api:
    """Gives its replies in order, and the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = []
        self.asked: list[tuple[str | None, dict[str, Any]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.asked.append((self.headers["Authorization"], json.loads(body)))
                status, text = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.judge = Judge(url=f"http://127.0.0.1:{self.server.server_port}/v1/", model="large")

    def says(self, *words: str) -> None:
        self.replies = [
            (200, json.dumps({"choices": [{"message": {"content": each}}]})) for each in words
        ]

    def score(self, key: str | None = "sk-1") -> float:
        return judge.judged(self.judge, key, QUESTION, Answer(text="In the reeds."))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api()
    monkeypatch.setattr(judge, "WAIT_SECONDS", 0.001)
    Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("words", "score"),
    [
        ("7", 0.7),
        ("10", 1),
        ("0", 0),
        ("**8**", 0.8),
        ("8/10", 0.8),
        ("8 out of 10.", 0.8),
        ("7.5", 0.75),
        ("<think>3 of 4 facts are right</think>\n6", 0.6),
    ],
)
def test_what_is_made_of_its_words(api: Api, words: str, score: float) -> None:
    api.says(words)
    assert api.score() == pytest.approx(score)


def test_it_reads_question_reference_and_answer_and_leaves_nothing_to_chance(api: Api) -> None:
    api.says("5")
    api.score()
    ((key, body),) = api.asked
    assert key == "Bearer sk-1"
    assert (body["model"], body["temperature"]) == ("large", 0)
    (message,) = body["messages"]
    for text in ("Where?", "At the pond.", "In the reeds."):
        assert text in message["content"]


def test_one_without_a_key_is_sent_none(api: Api) -> None:
    api.says("5")
    api.score(key=None)
    assert api.asked[0][0] is None


@pytest.mark.parametrize("words", ["Good.", "11", "100"])
def test_words_that_are_no_verdict(api: Api, words: str) -> None:
    api.says(words)
    with pytest.raises(StepError, match=f"gave no number from 0 to 10: {words}"):
        api.score()


@pytest.mark.parametrize("text", ["<html>", "[]", '{"choices": []}', '{"choices": null}'])
def test_an_answer_of_another_kind(api: Api, text: str) -> None:
    api.replies = [(200, text)]
    with pytest.raises(StepError, match="no chat completion"):
        api.score()


def test_one_that_is_busy_is_asked_again(api: Api) -> None:
    api.says("9")
    api.replies = [(429, "slow down"), (503, "later"), *api.replies]
    assert api.score() == pytest.approx(0.9)
    assert len(api.asked) == 3


def test_one_that_stays_busy_is_given_up(api: Api) -> None:
    api.replies = [(429, "slow down")]
    with pytest.raises(StepError, match="429: slow down"):
        api.score()
    assert len(api.asked) == judge.TRIES


def test_a_refusal_is_told_at_once_and_without_the_key(api: Api) -> None:
    api.replies = [(401, "sk-1 is no key of ours")]
    with pytest.raises(StepError) as refused:
        api.score()
    assert len(api.asked) == 1
    assert r"401: *** is no key of ours" in str(refused.value)
    assert "pulumi config set --secret judge_key" in str(refused.value)


def test_one_that_nobody_listens_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "WAIT_SECONDS", 0.001)
    nobody = Judge(url="http://127.0.0.1:1/v1", model="large")
    with pytest.raises(StepError, match="does not answer"):
        judge.judged(nobody, None, QUESTION, Answer(text=""))
