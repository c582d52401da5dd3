"""Training templates as Ollama's Go templates (E4).

That they render the same text is for `tests/integration/test_chat_templates.py` to show, with
LLaMA-Factory and Ollama themselves. Here is what a reader would get wrong first.
"""

import re
from dataclasses import replace

import pytest

from planning.ollama_template import (
    OllamaTemplate,
    Thinking,
    begins_with_token,
    no_thoughts,
    ollama_template,
)
from planning.text_beginnings import beginnings
from stack_configs.settings.chat_templates import TRAINING_TEMPLATES, nearest_template


def made(name: str, thinking: Thinking | None = None, *, tools: bool = False) -> OllamaTemplate:
    """As it is with a tokenizer that puts no space before a text."""
    found = ollama_template(TRAINING_TEMPLATES[name], thinking or Thinking(), taught_tools=tools)
    return replace(found, template=re.sub(r"{{ space_\w+ }}", "", found.template))


class TestText:
    def test_turns_one_after_another(self) -> None:
        assert made("phi4").template == (
            "{{ if $.System }}<|im_start|>system<|im_sep|>{{ $.System }}<|im_end|>{{ end }}"
            "{{ range .Messages }}"
            '{{ if eq .Role "user" }}<|im_start|>user<|im_sep|>{{ .Content }}<|im_end|>'
            "<|im_start|>assistant<|im_sep|>"
            '{{ else if eq .Role "assistant" }}{{ .Content }}<|im_end|>'
            '{{ else if eq .Role "tool" }}<|im_start|>user<|im_sep|>{{ .Content }}<|im_end|>'
            "<|im_start|>assistant<|im_sep|>"
            "{{ end }}{{ end }}"
        )

    def test_a_system_text_opens_the_first_question_and_no_other(self) -> None:
        text = made("gemma").template
        assert text.startswith("{{ $first := true }}")
        system = "{{ if $.System }}{{ $.System }}\n\n{{ end }}{{ $first = false }}"
        question = "<start_of_turn>user\n{{ if $first }}" + system + "{{ end }}{{ .Content }}"
        assert question + "<end_of_turn>" in text

    def test_what_a_model_writes_before_its_answer_is_written_once(self) -> None:
        """A client that sends the answer back as it came sends the space too."""
        text = made("mistral").template
        there = 'and (ge (len .Content) 1) (eq (slice .Content 0 1) " ")'
        assert "{{ if not (" + there + ") }} {{ end }}{{ .Content }}{{ eos_token }}" in text

    def test_the_tokenizers_own_tokens_have_names_until_they_are_known(self) -> None:
        assert made("mistral").stop == ("{{ eos_token }}",)
        assert "{{ bos_token }}[INST]" in made("llama2").template

    def test_a_name_that_llamafactory_skips_is_skipped(self) -> None:
        assert "endoftext" not in made("phi_small").template

    @pytest.mark.parametrize("name", TRAINING_TEMPLATES)
    def test_a_modelfile_can_quote_it(self, name: str) -> None:
        template = made(name, tools=True)
        assert '"""' not in template.template + template.system
        assert "{{{" not in template.template


class TestBeginning:
    @pytest.mark.parametrize(
        ("name", "begins"),
        [
            ("llama3", True),
            ("llama2", True),  # in front of every question
            ("seed_coder", True),  # of the system text, and of every question
            ("chatml", False),
            ("qwen3", False),
            ("olmo", False),  # with the end-of-sequence token
            ("phi_small", False),
        ],
    )
    def test_whether_the_tokenizer_writes_the_first_token(self, name: str, begins: bool) -> None:
        assert begins_with_token(TRAINING_TEMPLATES[name]) is begins
        assert not made(name).template.startswith("{{ bos_token }}")


class TestThoughts:
    def test_asked_for_none_the_model_gets_empty_ones(self) -> None:
        text = made("qwen3").template
        assert text.endswith(
            "{{ if and .IsThinkSet (not .Think) }}<think>\n\n</think>\n\n{{ end }}"
        )
        assert made("qwen3").thinks

    def test_trained_to_answer_at_once(self) -> None:
        template = made("qwen3", Thinking(enable_thinking=False))
        assert template.template.endswith("<think>\n\n</think>\n\n")
        assert ".Think" not in template.template, "Ollama would offer thoughts"
        assert not template.thinks

    def test_a_template_without_thoughts(self) -> None:
        assert "think" not in made("qwen3_nothink").template
        assert not made("qwen3_nothink").thinks

    def test_earlier_thoughts_as_the_stage_sees_them(self) -> None:
        written = made("qwen3").template
        assert "{{ else }}<think>\n\n</think>\n\n{{ end }}{{ .Content }}" in written
        dropped = made("qwen3", Thinking(history="dropped")).template
        assert "{{ if false }}<think>\n{{ .Thinking }}\n</think>\n\n{{ else }}{{ end }}" in dropped

    def test_glm_closes_what_it_never_opened(self) -> None:
        assert no_thoughts(TRAINING_TEMPLATES["glm4_7"]) == "</think>"


class TestTools:
    def test_a_format_of_the_base_model_is_served_untaught(self) -> None:
        assert made("qwen3").calls
        assert made("llama3").calls

    def test_llamafactorys_own_format_must_have_been_taught(self) -> None:
        assert not made("chatml").calls
        assert ".Tool" not in made("chatml").template
        assert made("chatml", tools=True).calls

    def test_what_ollama_reads_a_call_by_comes_first(self) -> None:
        """Its parser takes the first text under `if .ToolCalls`, up to the object."""
        for name, sign in (("qwen3", "<tool_call>\n{"), ("mistral", "[TOOL_CALLS] ")):
            _, found, calls = made(name).template.partition("{{ if .ToolCalls }}")
            assert found
            assert calls.removeprefix("{{ with index .ToolCalls 0 }}").startswith(sign)

    def test_calls_that_ollama_could_not_read(self) -> None:
        for name in ("glm4", "qwen3_5", "lfm2", "gemma4", "seed_oss", "minimax2"):
            assert not made(name, tools=True).calls
            assert TRAINING_TEMPLATES[name].tools_refused


class TestNearest:
    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            ("lama3", "llama3"),
            ("LLaMA3", "llama3"),
            ("chat_ml", None),
            ("qwen_3", None),
            ("qwen33", None),
            ("qwen3_think", None),
            ("gemma5", None),
            ("qwen3_nothing", "qwen3_nothink"),
        ],
    )
    def test_only_what_is_misspelt(self, given: str, meant: str | None) -> None:
        assert nearest_template(given) == meant


class TestSpaces:
    @pytest.mark.parametrize("name", TRAINING_TEMPLATES)
    def test_every_place_for_a_space_can_be_filled(self, name: str) -> None:
        template = TRAINING_TEMPLATES[name]
        text = ollama_template(template, Thinking(), taught_tools=True).template
        places = set(re.findall(r"{{ (space_\w+) }}", text))
        assert places
        assert places <= {each.name for each in beginnings(template)}

    def test_a_piece_is_told_by_what_it_begins_with_and_what_stands_before(self) -> None:
        found = {each.name: each for each in beginnings(TRAINING_TEMPLATES["llama2"])}
        assert found.keys() == {
            *("space_user_0", "space_assistant_0", "space_observation_0", "space_function_0"),
        }
        question, answer = found["space_user_0"], found["space_assistant_0"]
        assert (question.begins, question.ends, question.space) == ("[INST] ", "", " ")
        assert (answer.begins, answer.ends) == ("a", " [/INST]")
        assert "if .Content" in answer.space, "an empty answer is no piece"
