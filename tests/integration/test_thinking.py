"""Thoughts arrive as thoughts, or not at all where training had none (E6).

Two tiny models learn one answer by heart, one of them with the thoughts before it.
"""

import copy
import json
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1500),
]

QUESTION, THOUGHTS, ANSWER = "Where is the heron?", "Herons eat fish.", "It is at the pond."


@pytest.fixture(scope="module")
def served(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("thinking")
    made = Stack(folder / "home")
    texts = {"thoughtful": f"<think>\n{THOUGHTS}\n</think>\n\n{ANSWER}", "brief": ANSWER}
    made.settings["datasets"] = []
    for name, text in texts.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps([{"instruction": QUESTION, "output": text}]))
        made.settings["datasets"].append({"name": name, "file": str(file)})
    made.settings["board"] = {"enabled": False}
    made.model.update({"template": "qwen3", "name": "thoughtful"})
    # Two texts make no larger one.
    made.model["base_model"]["generate"]["vocabulary_size"] = 300
    made.model["ollama_model"] = {
        "smoke_prompts": [{"prompt": QUESTION, "expect": ANSWER}],
        # So small a tokenizer has tokens that reach over the end of a turn, as no real one has.
        "chat_parity": "reported",
    }
    made.run.update({"datasets": ["thoughtful"], "max_steps": 40})
    brief = copy.deepcopy(made.model) | {"name": "brief"}
    brief["training_runs"][0].update(
        {"datasets": ["brief"], "arguments": {"enable_thinking": False}}
    )
    made.settings["models"].append(brief)
    with engine.converged(made):
        yield made


def test_thoughts_come_apart_from_the_answer_and_where_there_are_none_none_come(
    served: Stack,
) -> None:
    asked = {"prompt": QUESTION, "answer": ANSWER}
    assert served.outputs()["smoke_answers"] == [
        {"model": "thoughtful", **asked, "thoughts": THOUGHTS},
        {"model": "brief", **asked},
    ]
