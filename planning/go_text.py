"""Text in Ollama's Go templates."""


def literal(text: str) -> str:
    """Text that Go's template writes as it is."""
    if "{{" not in text and not text.endswith("{"):
        return text
    return "{{ " + quoted(text) + " }}"


def quoted(text: str) -> str:
    """A string of Go."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
