"""A larger model's word on an answer, asked for through an API like OpenAI's (O2)."""

import re
import time

import requests

from plan.evaluation import Judge, Question
from runtime.failure import StepError
from runtime.progress.progress import mask
from runtime.serving.asking import Answer

PROMPT = """\
You judge the answer of an assistant. Give 10 for an answer that says what the reference says and \
nothing that is wrong, 0 for one that does not answer the question.

Question:
{question}

Reference answer:
{expected}

Answer to judge:
{answer}

Reply with one whole number from 0 to 10 and nothing else."""

BEST = 10
VERDICT = re.compile(rf"(\d+(?:\.\d+)?)(?:\s*(?:/|out of)\s*{BEST})?")
"""A number, or one such as 8/10."""

PATIENCE_SECONDS = 120
TRIES = 5
WAIT_SECONDS = 2.0
"""Before the second try; twice as long before each further one."""

BUSY = (429, 500, 502, 503, 504)
WORDS = 200
"""Characters told of what the API says."""

WAY_OUT = (
    "Correct evaluation.measures.judge, set its key (`pulumi config set --secret judge_key`), or "
    "remove the measure; what is served goes on answering"
)


def judged(judge: Judge, key: str | None, question: Question, answer: Answer) -> float:
    """The judge's score of an answer, 0 to 1.

    Raises `StepError` where it does not give one. What it is sent is repeated in no message.
    """
    text = PROMPT.format(
        question=question.messages[-1]["content"], expected=question.expect, answer=answer.text
    )
    body = {
        "model": judge.model,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "seed": 42,
    }
    reply = _post(f"{judge.url.rstrip('/')}/chat/completions", key, body)
    try:
        said = str(reply.json()["choices"][0]["message"]["content"])
    except (ValueError, LookupError, TypeError):
        raise _failure(
            judge, f"answered what is no chat completion: {reply.text[:WORDS]}"
        ) from None
    # A reasoning judge's last number is its verdict.
    numbers = [float(number) for number in VERDICT.findall(said)]
    if not numbers or numbers[-1] > BEST:
        raise _failure(judge, f"gave no number from 0 to {BEST}: {said[:WORDS]}")
    return numbers[-1] / BEST


def _post(url: str, key: str | None, body: dict[str, object]) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for tries in range(1, TRIES + 1):
        try:
            reply = requests.post(url, json=body, headers=headers, timeout=PATIENCE_SECONDS)
        except requests.RequestException as error:
            cause = f"does not answer ({type(error).__name__})"
        else:
            if reply.ok:
                return reply
            words = mask(reply.text[:WORDS], [key] if key else [])
            cause = f"refuses ({reply.status_code}: {words})"
            if reply.status_code not in BUSY:
                break
        if tries < TRIES:
            time.sleep(WAIT_SECONDS * 2 ** (tries - 1))
    raise StepError(f"the judge at {url} {cause}.\n  {WAY_OUT}")


def _failure(judge: Judge, what: str) -> StepError:
    return StepError(f"the judge {judge.model} at {judge.url} {what}.\n  {WAY_OUT}")
