"""How the last run of a model saw conversations (E4, T3)."""

from typing import Any

import pytest

from planning.trained_chat import TrainedChat, trained_chat
from stack_configs.settings.models import ModelSettings


def chat(*runs: dict[str, Any], template: str = "qwen3") -> TrainedChat:
    named = [{"name": f"r{i}", "datasets": ["a"], **run} for i, run in enumerate(runs)]
    return trained_chat(
        taught_tools=False,
        settings=ModelSettings.model_validate(
            {
                "name": "m",
                "template": template,
                "base_model": {"generate": {}},
                "training_runs": named,
            }
        ),
    )


SFT: dict[str, Any] = {"stage": "sft"}


class TestHistory:
    @pytest.mark.parametrize(
        ("run", "history"),
        [
            (SFT, "written"),
            (SFT | {"arguments": {"mask_history": True}}, "dropped"),
            (SFT | {"arguments": {"mask_history": True, "preserve_thinking": True}}, "written"),
            ({"stage": "dpo"}, "dropped"),
            ({"stage": "kto"}, "dropped"),
            ({"stage": "dpo", "arguments": {"preserve_thinking": True}}, "kept"),
        ],
    )
    def test_thoughts_of_earlier_answers(self, run: dict[str, Any], history: str) -> None:
        assert chat(run).thinking.history == history

    def test_the_last_run_counts_and_a_judge_does_not(self) -> None:
        assert chat(SFT, {"stage": "dpo"}).one_turn
        assert not chat(SFT, {"stage": "rm"}).one_turn

    def test_thoughts_are_the_last_runs_own_affair(self) -> None:
        off = SFT | {"arguments": {"enable_thinking": False}}
        assert chat(off).thinking.enable_thinking is False
        assert chat(SFT, off).thinking.enable_thinking is False
        assert chat(off, SFT).thinking.enable_thinking is True
        assert "enable_thinking" not in chat(off, SFT).arguments


class TestArguments:
    def test_a_system_text_in_place_of_the_templates(self) -> None:
        given = SFT | {"arguments": {"default_system": "Be brief."}}
        assert chat(given, template="qwen").ollama.system == "Be brief."
        none = SFT | {"arguments": {"default_system": ""}}
        assert chat(none, template="qwen").ollama.system == ""
        assert chat(SFT, template="qwen").ollama.system.startswith("You are Qwen")

    def test_what_the_encoder_is_told(self) -> None:
        given = SFT | {"arguments": {"split_special_tokens": True, "weight_decay": 0.1}}
        assert chat(given).arguments == {"split_special_tokens": True}
