"""A training template as Ollama's Go template: the same text, character for character (E4).

A model that is asked in another format than it was trained in answers badly and nobody sees why.
Sources: LLaMA-Factory 0.9.5 `data/template.py`, `data/formatter.py`; Ollama 0.17.4
`template/template.go`, `thinking/template.go`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from planning.go_text import literal, quoted
from planning.text_beginnings import space
from planning.tool_syntax import ToolSyntax, tool_syntax
from stack_configs.settings.chat_templates import (
    BEGIN,
    CONTENT,
    END,
    Slot,
    Token,
    TokenizerToken,
    TrainingTemplate,
)

TOKENIZER_TOKENS = {BEGIN: "{{ bos_token }}", END: "{{ eos_token }}"}
"""What stands for the tokenizer's own tokens until its step has read them. Ollama refuses a
template that still holds one."""


History = Literal["written", "kept", "dropped"]
"""What training made of the thoughts in earlier answers: wrote them, empty ones too (sft); kept
those that were there; or dropped them."""


@dataclass(frozen=True, kw_only=True)
class Thinking:
    """What training made of thoughts, by LLaMA-Factory's arguments."""

    enable_thinking: bool | None = True
    """False: the model was trained to answer without thoughts."""
    history: History = "written"


@dataclass(frozen=True, kw_only=True)
class OllamaTemplate:
    """A Modelfile's TEMPLATE, stop words and default SYSTEM."""

    template: str
    stop: tuple[str, ...]
    system: str
    thinks: bool
    """Whether Ollama tells the model's thoughts apart."""
    calls: bool
    """Whether Ollama lists tools, and tells the model's calls apart."""


def begins_with_token(template: TrainingTemplate) -> bool:
    """Whether a conversation of the training began with the beginning-of-sequence token.

    It is not in the TEMPLATE: Ollama's tokenizer writes it, as the GGUF file tells it to.
    """
    return _opening(template)[:1] == (TokenizerToken(BEGIN),)


def ollama_template(
    training: TrainingTemplate, thinking: Thinking, *, taught_tools: bool
) -> OllamaTemplate:
    """Ollama's counterpart of a training template.

    `taught_tools`: the training data had tools. A format of the base model's own is known to it
    without that; LLaMA-Factory's `default` is not.
    """
    thinks = training.reasons and thinking.enable_thinking is not False
    knows_tools = taught_tools or training.call_format != "default"
    tools = tool_syntax(training) if knows_tools else None
    template = (
        _head(training, tools)
        + "{{ range .Messages }}"
        + '{{ if eq .Role "user" }}'
        + _user(training, tools)
        + '{{ else if eq .Role "assistant" }}'
        + _assistant(training, thinking, tools)
        + '{{ else if eq .Role "tool" }}'
        + _text(training.observation, "{{ .Content }}", "observation")
        + "{{ end }}{{ end }}"
        + _before_answer(training, thinking)
    )
    stops = [*training.stop_words]
    if TokenizerToken(END) in training.assistant:
        stops.append(TOKENIZER_TOKENS[END])
    return OllamaTemplate(
        template=template,
        stop=tuple(dict.fromkeys(stops)),
        system=training.default_system,
        thinks=thinks,
        calls=tools is not None,
    )


def _opening(template: TrainingTemplate) -> tuple[Slot, ...]:
    """What a conversation begins with, whether or not it has a system text."""
    if template.prefix:
        return template.prefix
    if template.system_opens_first_turn or template.system[:1] == template.user[:1]:
        return template.user
    return ()


def _without_begin(slots: tuple[Slot, ...], template: TrainingTemplate) -> tuple[Slot, ...]:
    return slots[1:] if begins_with_token(template) else slots


def _head(template: TrainingTemplate, tools: ToolSyntax | None) -> str:
    """The prefix, and the system text where it stands by itself."""
    opening = _without_begin(template.prefix, template) if template.prefix else ()
    prefix = _text(opening, "", "prefix")
    if template.system_opens_first_turn:
        return prefix + "{{ $first := true }}"
    if not template.prefix and begins_with_token(template):
        # The first token is the tokenizer's to write, be it the system's or the question's.
        system = _system(template.system[1:], tools, then="{{ $first = false }}")
        return "{{ $first := true }}" + system
    return prefix + _system(template.system, tools)


def _system(
    slots: tuple[Slot, ...], tools: ToolSyntax | None, *, then: str = "", part: str = "system"
) -> str:
    """The system text with the list of tools, where there is one of the two."""
    if tools is None:
        return "{{ if $.System }}" + _text(slots, "{{ $.System }}", part) + then + "{{ end }}"
    content = "{{ $.System }}{{ if $.Tools }}" + tools.listed + "{{ end }}"
    return "{{ if or $.System $.Tools }}" + _text(slots, content, part) + then + "{{ end }}"


def _user(template: TrainingTemplate, tools: ToolSyntax | None) -> str:
    slots, begin = template.user, ""
    if not template.prefix and begins_with_token(template):
        slots = slots[1:]
        begin = "{{ if not $first }}" + TOKENIZER_TOKENS[BEGIN] + "{{ end }}"
    if template.system_opens_first_turn:
        # Only the first slot counts (`format_system.apply(...)[0]`), and only the first question.
        system = _system(template.system[:1], tools, part="")
        first = "{{ if $first }}" + system + "{{ $first = false }}{{ end }}"
        return begin + _text(slots, first + "{{ .Content }}", "user")
    return (
        begin + ("{{ $first = false }}" if begin else "") + _text(slots, "{{ .Content }}", "user")
    )


def _assistant(template: TrainingTemplate, thinking: Thinking, tools: ToolSyntax | None) -> str:
    answer = _answer(template, thinking)
    if tools is None:
        return answer
    calls = _text(template.function, tools.called, "function")
    thoughts = ""
    if template.reasons and thinking.history == "written":
        # Not under `if .ToolCalls`: Ollama learns there what a call begins with.
        none = literal(no_thoughts(template))
        thoughts = "{{ $calls := .ToolCalls }}{{ if $calls }}" + none + "{{ end }}"
    return thoughts + "{{ if .ToolCalls }}" + calls + "{{ else }}" + answer + "{{ end }}"


def _answer(template: TrainingTemplate, thinking: Thinking) -> str:
    """An earlier answer, with what it thought."""
    before, after = _split(template.assistant)
    plain = _once(before)
    if not template.reasons:
        return space("assistant", 0) + plain + "{{ .Content }}" + after
    first, last = (literal(word) for word in template.thought_words)
    said = literal(before) + first + "{{ .Thinking }}" + last
    none = literal(no_thoughts(template)) if thinking.history == "written" else ""
    if thinking.enable_thinking is False:
        return none + plain + "{{ .Content }}" + after
    # Where none are written, Ollama still learns from here what encloses the model's thoughts.
    written = "{{ if false }}" if thinking.history == "dropped" else "{{ if .Thinking }}"
    return written + said + "{{ else }}" + none + plain + "{{ end }}{{ .Content }}" + after


def _once(before: str) -> str:
    """What a model writes before every answer, unless the answer that a client sends back has it.

    Some clients cut it off, some do not; training wrote it once.
    """
    if not before:
        return ""
    length = len(before.encode())
    there = f"and (ge (len .Content) {length}) (eq (slice .Content 0 {length}) {quoted(before)})"
    return "{{ if not (" + there + ") }}" + literal(before) + "{{ end }}"


def _split(slots: tuple[Slot, ...]) -> tuple[str, str]:
    """The text before the content of an answer, and what follows it as Go writes it."""
    before = ""
    for index, slot in enumerate(slots):
        if not isinstance(slot, str):
            break
        head, found, tail = slot.partition(CONTENT)
        before += head
        if found:
            return before, literal(tail) + _text(slots[index + 1 :], "", "assistant", 1)
    raise AssertionError(f"an answer of the release begins with a text: {slots}")


def _before_answer(template: TrainingTemplate, thinking: Thinking) -> str:
    if not template.reasons:
        return ""
    none = literal(no_thoughts(template))
    if thinking.enable_thinking is False:
        return none
    return "{{ if and .IsThinkSet (not .Think) }}" + none + "{{ end }}"


def no_thoughts(template: TrainingTemplate) -> str:
    """How training wrote that nothing was thought."""
    first, last = template.thought_words
    return last if template.kind == "Glm47ReasoningTemplate" else first + last


def _text(slots: Iterable[Slot], content: str, part: str, number: int = 0) -> str:
    """Slots with Go text as their content.

    `part` is empty where they continue a piece; `number` is that of the first one but for tokens.
    """
    written = ""
    for slot in slots:
        match slot:
            case Token(text):
                written += literal(text)
            case TokenizerToken(name):
                # LLaMA-Factory skips what is neither.
                written += TOKENIZER_TOKENS.get(name, "")
            case str():
                head, found, tail = slot.partition(CONTENT)
                written += space(part, number) + literal(head)
                written += content + literal(tail) if found else ""
                number += 1
    return written
