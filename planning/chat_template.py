"""Chat templates: their special tokens, and how Ollama writes what the model was trained with (E4).

A model that is asked in another format than it was trained in answers badly and nobody sees why,
so the training template decides. Sources: LLaMA-Factory 0.9.5 `data/template.py`, Ollama
`docs/template`. The beginning-of-sequence token is not in the text: Ollama's tokenizer adds it
where the model's says so, which every whole model of the stack does as its training did.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stack_configs.settings.models import ChatTemplate


@dataclass(frozen=True, kw_only=True)
class OllamaTemplate:
    """A Modelfile's TEMPLATE, stop words and default SYSTEM."""

    template: str
    stop: tuple[str, ...]
    system: str | None = None


def _by_turns(system: str, user: str, assistant: str) -> str:
    """Turns one after another; each text has `{}` where its content goes."""
    return (
        "{{ if .System }}"
        + system.format("{{ .System }}")
        + "{{ end }}{{ if .Prompt }}"
        + user.format("{{ .Prompt }}")
        + "{{ end }}"
        + assistant.format("{{ .Response }}")
    )


def _system_in_first_turn(before: str, between: str, after: str) -> str:
    """LLaMA-Factory's Llama2Template: the system text opens the first user turn."""
    return (
        before
        + "{{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}"
        + between
        + "{{ .Response }}"
        + after
    )


_LLAMA3 = OllamaTemplate(
    template=_by_turns(
        "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
    ),
    stop=("<|eot_id|>", "<|eom_id|>"),
)
_CHATML = OllamaTemplate(
    template=_by_turns(
        "<|im_start|>system\n{}<|im_end|>\n",
        "<|im_start|>user\n{}<|im_end|>\n",
        "<|im_start|>assistant\n{}<|im_end|>\n",
    ),
    stop=("<|im_end|>", "<|im_start|>"),
)
_QWEN = OllamaTemplate(
    template=_CHATML.template,
    stop=("<|im_end|>",),
    system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
)
_GEMMA = OllamaTemplate(
    template=_system_in_first_turn(
        "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>\n"
    ),
    stop=("<end_of_turn>",),
)
_PHI4 = OllamaTemplate(
    template=_by_turns(
        "<|im_start|>system<|im_sep|>{}<|im_end|>",
        "<|im_start|>user<|im_sep|>{}<|im_end|>",
        "<|im_start|>assistant<|im_sep|>{}<|im_end|>",
    ),
    stop=("<|im_end|>",),
)
_PHI = OllamaTemplate(
    template=_by_turns(
        "<|system|>\n{}<|end|>\n", "<|user|>\n{}<|end|>\n", "<|assistant|>\n{}<|end|>\n"
    ),
    stop=("<|end|>",),
)

OLLAMA_TEMPLATES: Mapping[ChatTemplate, OllamaTemplate] = {
    "llama3": _LLAMA3,
    "chatml": _CHATML,
    "qwen": _QWEN,
    "qwen3_nothink": OllamaTemplate(template=_CHATML.template, stop=("<|im_end|>",)),
    "mistral": OllamaTemplate(
        # The model begins its answer with the space that it was trained to begin it with.
        template=_system_in_first_turn("[INST] ", "[/INST]", "</s>"),
        stop=("[INST]", "</s>"),
    ),
    "gemma": _GEMMA,
    "gemma2": OllamaTemplate(template=_GEMMA.template, stop=("<eos>", "<end_of_turn>")),
    "gemma3": _GEMMA,
    "phi": _PHI,
    "phi4": _PHI4,
}
"""Ollama's counterpart of each LLaMA-Factory template that the settings allow."""


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """What a template writes beside text, one token each, and what the tokenizer needs besides."""

    begin: str = "<s>"
    end: str = "<|endoftext|>"
    pad: str = "<pad>"
    turns: tuple[str, ...]
    """What opens and closes a turn."""
    writes_begin: bool = False
    """Whether a conversation begins with `begin`, as LLaMA-Factory's `format_prefix` has it."""


_CHATML_TOKENS = SpecialTokens(turns=("<|im_start|>", "<|im_end|>"))
_GEMMA_TOKENS = SpecialTokens(
    begin="<bos>",
    end="<eos>",
    turns=("<start_of_turn>", "<end_of_turn>"),
    writes_begin=True,
)

SPECIAL_TOKENS: Mapping[ChatTemplate, SpecialTokens] = {
    "llama3": SpecialTokens(
        begin="<|begin_of_text|>",
        end="<|end_of_text|>",
        pad="<|finetune_right_pad_id|>",
        turns=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
        writes_begin=True,
    ),
    "chatml": _CHATML_TOKENS,
    "qwen": _CHATML_TOKENS,
    "qwen3_nothink": _CHATML_TOKENS,
    "mistral": SpecialTokens(end="</s>", turns=("[INST]", "[/INST]"), writes_begin=True),
    "gemma": _GEMMA_TOKENS,
    "gemma2": _GEMMA_TOKENS,
    "gemma3": _GEMMA_TOKENS,
    "phi": SpecialTokens(turns=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")),
    "phi4": SpecialTokens(turns=("<|im_start|>", "<|im_sep|>", "<|im_end|>")),
}
"""The tokens of each template, named as the models that it was made for name them."""
