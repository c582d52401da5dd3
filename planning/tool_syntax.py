"""How a template lists tools and writes calls, as Ollama's Go templates (E6).

A format is here when Ollama writes it as LLaMA-Factory's `data/tool_utils.py` does and reads the
model's calls back: its parser looks for the text that a call begins with, the name of a tool and an
object of JSON. Names are sorted, which is how the training data must have them to be the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planning.go_json import Layout, arguments, tool, wrapped_tool
from planning.go_text import literal
from stack_configs.settings.chat_templates import TOOL_FORMATS, TrainingTemplate

TEXT, NAMES, DATE = "\ue000", "\ue001", "\ue002"
"""Stand for what a format's own text leaves open; no text of the release holds them."""

TODAY = "{{ tool_date }}"
"""What stands for the day that the list of tools was written on in training, until it is known."""

LINE = Layout()
INDENTED = Layout(indent=4)


@dataclass(frozen=True, kw_only=True)
class ToolSyntax:
    """Go text of one format."""

    listed: str
    """Every tool of the conversation, after the system text."""
    called: str
    """The calls of one message."""


def tool_syntax(template: TrainingTemplate) -> ToolSyntax | None:
    """The template's own; None where Ollama could not write or read it."""
    called = _CALLED.get(template.call_format or "")
    if called is None or template.tools_refused:
        return None
    if template.tools:  # phi4_mini's, around the list as the data has it
        before, after = template.tools_around
        every = _each("{{ if $index }}, {{ end }}", tool(LINE))
        return ToolSyntax(
            listed=literal(before + "[") + every + literal("]" + after), called=called
        )
    listed = _LISTED.get(template.tool_format or "")
    if listed is None:
        return None
    return ToolSyntax(listed=listed(), called=called)


def _each(between: str, written: str) -> str:
    """All tools, with Go's dot at each."""
    return "{{ range $index, $_ := $.Tools }}" + between + written + "{{ end }}"


def _around(tool_format: str, every: str) -> str:
    """A format's own text around its tools."""
    text = (TOOL_FORMATS[tool_format] or "{tool_text}").format(
        tool_text=TEXT, tool_names=NAMES, date=DATE
    )
    names = _each("{{ if $index }}, {{ end }}", "{{ .Function.Name }}")
    for mark, written in ((TEXT, every), (NAMES, names), (DATE, TODAY)):
        text = written.join(part if "{{ " in part else literal(part) for part in text.split(mark))
    return text


def _default() -> str:
    parameters = (
        "{{ range $name, $value := .Function.Parameters.Properties }}"
        "  - {{ $name }} ({{ $value.Type }}"
        "{{ range $tool.Function.Parameters.Required }}{{ if eq . $name }}, required{{ end }}"
        "{{ end }}): {{ $value.Description }}"
        "{{ if $value.Enum }}, should be one of ["
        "{{ range $number, $item := $value.Enum }}{{ if $number }}, {{ end }}{{ $item }}{{ end }}]"
        "{{ end }}\n{{ end }}"
    )
    every = (
        "{{ range $index, $tool := $.Tools }}"
        "> Tool Name: {{ .Function.Name }}\nTool Description: {{ .Function.Description }}\n"
        "Tool Args:\n" + parameters + "\n{{ end }}"
    )
    return _around("default", every)


def _wrapped_lines(tool_format: str, after: str = "") -> str:
    return _around(tool_format, _each("\n", wrapped_tool(LINE))) + after


_LISTED: Mapping[str, Callable[[], str]] = {
    "default": _default,
    "qwen": lambda: _wrapped_lines("qwen"),
    "ling": lambda: _wrapped_lines("ling", "\ndetailed thinking off"),
    "llama3": lambda: _around("llama3", _each("", wrapped_tool(INDENTED) + "\n\n")),
    "mistral": lambda: (
        "[AVAILABLE_TOOLS] ["
        + _each("{{ if $index }}, {{ end }}", wrapped_tool(LINE))
        + "][/AVAILABLE_TOOLS]"
    ),
    "minimax1": lambda: _around("minimax1", _each("", tool(LINE) + "\n")),
}


def _call(key: str) -> str:
    """A call as an object: its name and, under `key`, its arguments."""
    return '{"name": {{ json .Function.Name }}, "' + key + '": ' + arguments() + "}"


def _joined(between: str, call: str, *, before: str = "", after: str = "") -> str:
    """All calls. The first is written apart: Ollama reads there what a call begins with."""
    return (
        "{{ with index .ToolCalls 0 }}" + before + call + "{{ end }}"
        "{{ range slice .ToolCalls 1 }}" + between + call + "{{ end }}" + after
    )


_TAGGED = "<tool_call>\n" + _call("arguments") + "\n</tool_call>"
_CALLED: Mapping[str, str] = {
    "default": _joined("\n", "Action: {{ .Function.Name }}\nAction Input: " + arguments()),
    "qwen": _joined("\n", _TAGGED),
    "ling": _joined("\n", _TAGGED),
    "llama3": (
        "{{ if eq (len .ToolCalls) 1 }}"
        + _joined("", _call("parameters"))
        + "{{ else }}"
        + _joined(", ", _call("parameters"), before="[", after="]")
        + "{{ end }}"
    ),
    "mistral": _joined(", ", _call("arguments"), before="[", after="]"),
    "minimax1": _joined("\n", _call("arguments"), before="<tool_calls>\n", after="\n</tool_calls>"),
}
"""By format: `function_formatter`."""
