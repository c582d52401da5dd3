"""A training template as Ollama's Go template: the same text, character for character (E4).

A model that is asked in another format than it was trained in answers badly and nobody sees why.
Sources: LLaMA-Factory 0.9.5 `data/template.py`, `data/formatter.py`; Ollama 0.17.4
`template/template.go`, `thinking/template.go`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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


def begins_with_token(template: TrainingTemplate) -> bool:
    """Whether a conversation of the training began with the beginning-of-sequence token.

    It is not in the TEMPLATE: Ollama's tokenizer writes it, as the GGUF file tells it to.
    """
    return _opening(template)[:1] == (TokenizerToken(BEGIN),)


def ollama_template(training: TrainingTemplate, thinking: Thinking) -> OllamaTemplate:
    """Ollama's counterpart of a training template."""
    thinks = training.reasons and thinking.enable_thinking is not False
    template = (
        _head(training)
        + "{{ range .Messages }}"
        + '{{ if eq .Role "user" }}'
        + _user(training)
        + '{{ else if eq .Role "assistant" }}'
        + _answer(training, thinking)
        + '{{ else if eq .Role "tool" }}'
        + _text(training.observation, ".Content")
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


def _head(template: TrainingTemplate) -> str:
    """The prefix, and the system text where it stands by itself."""
    prefix = _text(_without_begin(template.prefix, template) if template.prefix else (), "")
    if template.system_opens_first_turn:
        return prefix + "{{ $system := .System }}{{ $first := true }}"
    system = template.system
    if not template.prefix and begins_with_token(template):
        # The first token is the tokenizer's to write, be it the system's or the question's.
        return (
            "{{ $first := true }}{{ if .System }}{{ $first = false }}"
            + _text(system[1:], ".System")
            + "{{ end }}"
        )
    return prefix + "{{ if .System }}" + _text(system, ".System") + "{{ end }}"


def _user(template: TrainingTemplate) -> str:
    content = ".Content"
    begin = ""
    slots = template.user
    if not template.prefix and begins_with_token(template):
        slots = slots[1:]
        begin = "{{ if not $first }}" + TOKENIZER_TOKENS[BEGIN] + "{{ end }}{{ $first = false }}"
    if template.system_opens_first_turn:
        # Only the first slot counts (`format_system.apply(...)[0]`), and only the first question.
        system = _text(template.system[:1], "$system")
        return begin + _text(
            slots, content, before="{{ if $system }}" + system + '{{ $system = "" }}{{ end }}'
        )
    return begin + _text(slots, content)


def _answer(template: TrainingTemplate, thinking: Thinking) -> str:
    """An earlier answer, with what it thought."""
    before, after = _split(template.assistant)
    plain = _once(before)
    if not template.reasons:
        return plain + "{{ .Content }}" + after
    first, last = (_literal(word) for word in template.thought_words)
    said = _literal(before) + first + "{{ .Thinking }}" + last
    none = _literal(no_thoughts(template)) if thinking.history == "written" else ""
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
    there = (
        f"and (ge (len .Content) {length}) (eq (slice .Content 0 {length}) {_go_string(before)})"
    )
    return "{{ if not (" + there + ") }}" + _literal(before) + "{{ end }}"


def _split(slots: tuple[Slot, ...]) -> tuple[str, str]:
    """The text before the content of an answer, and what follows it as Go writes it."""
    before = ""
    for index, slot in enumerate(slots):
        if not isinstance(slot, str):
            break
        head, found, tail = slot.partition(CONTENT)
        before += head
        if found:
            return before, _literal(tail) + _text(slots[index + 1 :], "")
    raise AssertionError(f"an answer of the release begins with a text: {slots}")


def _before_answer(template: TrainingTemplate, thinking: Thinking) -> str:
    if not template.reasons:
        return ""
    none = _literal(no_thoughts(template))
    if thinking.enable_thinking is False:
        return none
    return "{{ if and .IsThinkSet (not .Think) }}" + none + "{{ end }}"


def no_thoughts(template: TrainingTemplate) -> str:
    """How training wrote that nothing was thought."""
    first, last = template.thought_words
    return last if template.kind == "Glm47ReasoningTemplate" else first + last


def _text(slots: Iterable[Slot], content: str, *, before: str = "") -> str:
    """Slots with their content, the text `before` directly in front of it."""
    written = ""
    for slot in slots:
        match slot:
            case Token(text):
                written += _literal(text)
            case TokenizerToken(name):
                # LLaMA-Factory skips what is neither.
                written += TOKENIZER_TOKENS.get(name, "")
            case str():
                head, found, tail = slot.partition(CONTENT)
                written += _literal(head)
                if found:
                    written += before + "{{ " + content + " }}" + _literal(tail)
    return written


def _literal(text: str) -> str:
    """Text that Go's template writes as it is."""
    if "{{" not in text and not text.endswith("{"):
        return text
    return "{{ " + _go_string(text) + " }}"


def _go_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
