"""How a model saw conversations in its last training: Ollama must write them alike (E4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from planning.ollama_template import History, OllamaTemplate, Thinking, ollama_template
from stack_configs.settings.chat_templates import (
    CONTENT,
    END,
    TRAINING_TEMPLATES,
    TokenizerToken,
    TrainingTemplate,
)
from stack_configs.settings.models import ModelSettings

THINKING_ARGUMENTS = ("enable_thinking", "preserve_thinking")
"""Of the last run: the one before told only its own."""

ENCODER_ARGUMENTS = (
    *THINKING_ARGUMENTS,
    "default_system",
    "tool_format",
    "trust_remote_code",
    "use_fast_tokenizer",
    "split_special_tokens",
    "resize_vocab",
    "add_tokens",
    "add_special_tokens",
    "new_special_tokens_config",
    "cache_dir",
)
"""LLaMA-Factory's arguments that change which tokens a conversation becomes."""

ONE_TURN_STAGES = ("dpo", "kto", "ppo")
"""Stages that read a conversation as one prompt and one answer: `encode_oneturn`."""


@dataclass(frozen=True, kw_only=True)
class TrainedChat:
    """The template with what the runs' arguments change of it."""

    template: TrainingTemplate
    thinking: Thinking
    one_turn: bool
    """Whether the last run read conversations with `encode_oneturn`."""
    discards_history: bool
    """Whether the last run dropped the thoughts in earlier answers (`mask_history`)."""
    taught_tools: bool
    """Whether the training data had tools."""
    arguments: Mapping[str, Any]
    """Of LLaMA-Factory, beside the template's name: see `ENCODER_ARGUMENTS`."""

    @property
    def ollama(self) -> OllamaTemplate:
        """The same in Ollama's words."""
        return ollama_template(self.template, self.thinking, taught_tools=self.taught_tools)

    @property
    def thought_words(self) -> tuple[str, ...]:
        """What encloses thoughts, where Ollama is to tell them apart from the answer."""
        words = self.template.thought_words if self.ollama.thinks else ()
        return tuple(word.strip() for word in words)


def trained_chat(settings: ModelSettings, *, taught_tools: bool) -> TrainedChat:
    """How the run whose result is served saw conversations, after those that led to it."""
    runs = settings.served_lineage
    last = runs[-1]
    given = {key: run.arguments[key] for run in runs for key in run.arguments}
    given = {
        key: value
        for key, value in given.items()
        if key not in THINKING_ARGUMENTS or key in last.arguments
    }
    one_turn = last.stage in ONE_TURN_STAGES
    preserves = bool(given.get("preserve_thinking", False))
    discards = bool(last.arguments.get("mask_history", False)) and not preserves
    history: History = "written"
    if one_turn:
        history = "kept" if preserves else "dropped"
    elif discards:
        history = "dropped"
    asked = given.get("enable_thinking", True)
    thinks = None if asked is None else bool(asked)
    return TrainedChat(
        template=_with_arguments(TRAINING_TEMPLATES[settings.template], given),
        thinking=Thinking(enable_thinking=thinks, history=history),
        one_turn=one_turn,
        discards_history=discards,
        taught_tools=taught_tools,
        arguments={key: given[key] for key in ENCODER_ARGUMENTS if key in given},
    )


def _with_arguments(template: TrainingTemplate, given: Mapping[str, Any]) -> TrainingTemplate:
    """As `get_template_and_fix_tokenizer` changes it."""
    if given.get("default_system") is not None:
        template = replace(template, default_system=str(given["default_system"]))
    if given.get("tool_format") is not None:
        end = () if template.efficient_eos else (TokenizerToken(END),)
        tool_format = str(given["tool_format"])
        template = replace(
            template,
            function=(CONTENT, *end),
            tools=(),
            tool_format=tool_format,
            call_format=tool_format,
        )
    return template
