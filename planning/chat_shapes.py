"""Shapes of conversations that a served model is asked in: one of each is compared with training.

Each is what a client sends to Ollama's `/api/chat`, and ends where the model has to answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack_configs.settings.chat_templates import TrainingTemplate

Message = Mapping[str, Any]

SYSTEM = "Answer in one sentence."
TURNS = (
    ("Where is the heron?", "At the pond."),
    ("What does it do there?", "It waits for a fish."),
    ("For how long?", "For an hour."),
    ("And then?", "It flies away."),
)
LAST = "Where to?"


@dataclass(frozen=True, kw_only=True)
class ChatShape:
    """A conversation, and what else the client asks for."""

    name: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = field(default=())
    think: bool | None = None
    """Whether the client asks for thoughts; None leaves it to the model."""


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str, thinking: str | None = None) -> Message:
    thoughts = {} if thinking is None else {"thinking": thinking}
    return {"role": "assistant", "content": text, **thoughts}


def _system(text: str) -> Message:
    return {"role": "system", "content": text}


FIVE_TURNS = (*(m for ask, answer in TURNS for m in (_user(ask), _assistant(answer))), _user(LAST))
EVERYWHERE = (
    ChatShape(name="one turn", messages=(_user(LAST),)),
    ChatShape(name="one turn, system", messages=(_system(SYSTEM), _user(LAST))),
    ChatShape(name="five turns", messages=FIVE_TURNS),
    ChatShape(name="five turns, system", messages=(_system(SYSTEM), *FIVE_TURNS)),
    ChatShape(name="empty answer", messages=(_user("Hello?"), _assistant(""), _user(LAST))),
    ChatShape(
        name="Chinese",
        messages=(
            _system("用一句话回答。"),
            _user("苍鹭在哪里"),
            _assistant("在池塘边。"),
            _user("它在做什么"),
        ),
    ),
    ChatShape(
        name="emoji",
        messages=(
            _user("🦩 or 🐟?"),
            _assistant("🐟, of course 👍🏽"),
            _user("👩\u200d👩\u200d👧"),
        ),
    ),
    ChatShape(
        name="spaces and lines",
        messages=(_user("  two\n\n  lines \n"), _assistant("1.\n2.  \n"), _user("\ttab  and end ")),
    ),
    ChatShape(
        name="quotes and braces",
        messages=(
            _user('say "{{ .System }}" & <b>\\n</b>'),
            _assistant("{'a': [1, 2]}"),
            _user("{{content}}"),
        ),
    ),
)
THOUGHTS_IN_HISTORY = ChatShape(
    name="thoughts",
    messages=(_user(TURNS[0][0]), _assistant(TURNS[0][1], "Herons fish."), _user(LAST)),
)
NO_THOUGHTS_WANTED = ChatShape(name="thinking off", messages=(*FIVE_TURNS,), think=False)


TOOLS: tuple[Mapping[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": "find_bird",
            "description": "Where a bird was seen last.",
            "parameters": {
                "type": "object",
                "properties": {
                    "bird": {"type": "string", "description": "Its name, such as 苍鹭."},
                    "unit": {"type": "string", "enum": ["km", "miles"]},
                },
                "required": ["bird"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "count_fish",
            "description": "How many fish a pond has.",
            "parameters": {
                "type": "object",
                "properties": {"pond": {"type": "integer", "description": "Its number."}},
                "required": ["pond"],
            },
        },
    },
)
"""As clients describe them: names in order, as Go's templates sort them."""


def _call(name: str, **arguments: Any) -> Message:
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": name, "arguments": arguments}}],
    }


TOOLS_OFFERED = (
    ChatShape(name="tools", messages=(_user(LAST),), tools=TOOLS),
    ChatShape(name="tools, system", messages=(_system(SYSTEM), *FIVE_TURNS), tools=TOOLS),
    ChatShape(
        name="tool call and result",
        messages=(
            _user("Where is the heron?"),
            _call("find_bird", bird="苍鹭", unit="km"),
            {"role": "tool", "content": '{"pond": 7}', "tool_name": "find_bird"},
            _assistant("At pond 7."),
            _user("Has it fish?"),
            _call("count_fish", pond=7),
            {"role": "tool", "content": "12", "tool_name": "count_fish"},
        ),
        tools=TOOLS,
    ),
)


def special_text(template: TrainingTemplate) -> ChatShape:
    """A question that holds what the template itself writes."""
    words = "".join(template.stop_words) or "<s></s>"
    return ChatShape(name="special text", messages=(_user(f"What does {words} mean?"),))


def chat_shapes(template: TrainingTemplate, *, thinks: bool, calls: bool) -> Iterator[ChatShape]:
    """The shapes that a model of this template is asked in.

    `thinks`: it was trained to. `calls`: Ollama lists tools, and reads its calls of them.
    """
    yield from EVERYWHERE
    yield special_text(template)
    if calls:
        yield from TOOLS_OFFERED
    if thinks:
        yield THOUGHTS_IN_HISTORY
        yield NO_THOUGHTS_WANTED
