"""The Modelfile, read back the way Ollama's own parser reads it (E4, E5)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.ollama_model import OllamaModelStep
from plan.pipeline import PipelinePlan
from planning.ollama_model import render_modelfile
from planning.trained_chat import trained_chat
from stack_configs.settings.models import ModelSettings
from tests.planning.conftest import step_of

FILE = "/app/output/runs/abc/model.gguf"
PLAIN = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="\x7f\xa0\xad")
    | st.just("\n"),
    min_size=1,
    max_size=40,
).filter(lambda text: '"""' not in text and not text.isspace())


def parse(modelfile: str) -> list[tuple[str, str]]:
    """Ollama's `parser.ParseFile`: a quoted text ends at its closing quotes, nothing is escaped."""
    found: list[tuple[str, str]] = []
    rest = modelfile
    while rest := rest.lstrip("\n"):
        name, _, rest = rest.partition(" ")
        if name == "PARAMETER":
            name, _, rest = rest.partition(" ")
        value, rest = _value(rest)
        found.append((name, value))
    return found


def _value(rest: str) -> tuple[str, str]:
    # The value ends at the first line end where its quotes are closed.
    for end in (match.start() for match in re.finditer(r"\n|\Z", rest)):
        text = rest[:end].strip()
        if text.startswith('"""'):
            if len(text) >= 6 and text.endswith('"""'):
                return text[3:-3], rest[end:]
        elif text.startswith('"'):
            if len(text) >= 2 and text.endswith('"'):
                return text[1:-1], rest[end:]
        else:
            return text, rest[end:]
    raise AssertionError(f"the quotes are never closed: {rest!r}")


def modelfile(
    template: str = "llama3", *, trained_system: str | None = None, **ollama_model: Any
) -> list[tuple[str, str]]:
    arguments = {} if trained_system is None else {"default_system": trained_system}
    settings = ModelSettings.model_validate(
        {
            "name": "guide",
            "template": template,
            "base_model": {"generate": {}},
            "training_runs": [{"datasets": ["a"], "arguments": arguments}],
            "ollama_model": ollama_model,
        }
    )
    chat = trained_chat(settings, taught_tools=False)
    text = render_modelfile(settings, chat=chat, gguf_file=FILE)
    # As it is with a tokenizer that puts no space before a text.
    return parse(re.sub(r"{{ space_\w+ }}", "", text))


class TestModelfile:
    def test_weights_template_and_stop_words(self) -> None:
        lines = modelfile()
        assert lines[0] == ("FROM", FILE)
        assert lines[1][0] == "TEMPLATE"
        assert lines[1][1].startswith("{{ if or $.System $.Tools }}<|start_header_id|>system")
        assert lines[2:] == [("stop", "<|eot_id|>"), ("stop", "<|eom_id|>")]

    def test_own_stop_words_come_after_the_templates(self) -> None:
        lines = modelfile(parameters={"stop": ["User:", "<|eot_id|>", 'a "quoted" word']})
        assert [value for name, value in lines if name == "stop"] == [
            "<|eot_id|>",
            "<|eom_id|>",
            "User:",
            'a "quoted" word',
        ]

    def test_the_trainings_system_text_unless_there_is_an_own_one(self) -> None:
        assert "SYSTEM" not in dict(modelfile())
        assert dict(modelfile("qwen"))["SYSTEM"].startswith("You are Qwen")
        assert dict(modelfile("qwen", system="Be brief."))["SYSTEM"] == "Be brief."
        trained = dict(modelfile("qwen", trained_system="Shout."))
        assert trained["SYSTEM"] == "Shout."
        both = dict(modelfile("qwen", trained_system="Shout.", system="Be brief."))
        assert both["SYSTEM"] == "Be brief."

    def test_a_training_without_a_system_text(self) -> None:
        assert "SYSTEM" not in dict(modelfile("qwen", trained_system=""))

    def test_parameters_in_ollamas_words(self) -> None:
        lines = dict(modelfile(parameters={"temperature": 0, "num_ctx": 8192, "use_mmap": False}))
        assert float(lines["temperature"]) == 0
        assert lines["num_ctx"] == "8192"
        assert lines["use_mmap"] == "false"
        assert "top_k" not in lines

    @given(PLAIN)
    def test_a_system_text_arrives_as_it_was_written(self, text: str) -> None:
        assert dict(modelfile(system=text))["SYSTEM"] == text

    @given(PLAIN)
    def test_a_stop_word_arrives_as_it_was_written(self, text: str) -> None:
        lines = modelfile(parameters={"stop": [text]})
        assert ("stop", text) in lines


class TestPlan:
    def plan(self, plan_with: Callable[..., PipelinePlan], **changes: Any) -> OllamaModelStep:
        return plan_with(lambda d: d["models"][0].update(changes)).models[0].ollama_model

    @pytest.mark.parametrize(
        ("name", "served", "manifest"),
        [
            (None, "guide:latest", "library/guide/latest"),
            ("helper:v2", "helper:v2", "library/helper/v2"),
            ("me/helper", "me/helper:latest", "me/helper/latest"),
        ],
    )
    def test_a_name_is_what_ollama_lists_and_where_it_lies(
        self, plan_with: Any, name: str | None, served: str, manifest: str
    ) -> None:
        plan = self.plan(plan_with, ollama_model={"name": name})
        assert plan.served_name == served
        assert str(plan.manifest).endswith(f"/manifests/registry.ollama.ai/{manifest}")

    @pytest.mark.parametrize(
        ("quantization", "outtype", "by_ollama"),
        [
            ("f16", "f16", None),
            ("q8_0", "q8_0", None),
            ("q4_k_m", "f16", "q4_K_M"),
            ("q4_k_s", "f16", "q4_K_S"),
        ],
    )
    def test_who_quantizes(
        self, plan_with: Any, quantization: str, outtype: str, by_ollama: str | None
    ) -> None:
        changes = {"gguf_conversion": {"quantization": quantization}}
        (model,) = plan_with(lambda d: d["models"][0].update(changes)).models
        assert f"--outtype {outtype};" in step_of(model, "gguf-conversion").container.command[-1]
        assert model.ollama_model.quantize == by_ollama

    def test_it_is_made_from_the_converted_file(self, plan_with: Any) -> None:
        (model,) = plan_with().models
        gguf = step_of(model, "gguf-conversion")
        assert model.ollama_model.modelfile.startswith(f"FROM {gguf.artefact}/model.gguf\n")
        assert f"--outfile {gguf.partial}/model.gguf" in gguf.container.command[-1]
