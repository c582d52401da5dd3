"""The rules of a `.dockerignore` file, as moby's `patternmatcher` reads them.

The last rule that matches a path, or a folder above it, decides; `!` takes a path back in. A
Dockerfile's own `<Dockerfile>.dockerignore` goes before the one in the context's root.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class IgnoreRules:
    """Compiled rules; each is a pattern and whether it takes a path back in."""

    rules: Sequence[tuple[re.Pattern[str], bool]] = ()

    @classmethod
    def load(cls, folder: Path, dockerfile: Path) -> IgnoreRules:
        """Read the rules that apply to a build."""
        for path in (Path(f"{dockerfile}.dockerignore"), folder / ".dockerignore"):
            if path.is_file():
                return cls.parse(path.read_text(encoding="utf-8-sig"))
        return cls()

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Compile the lines of an ignore file."""
        rules = []
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or line.startswith("#"):
                continue
            takes_back = pattern.startswith("!")
            cleaned = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
            if cleaned != ".":
                rules.append((re.compile(_expression(cleaned)), takes_back))
        return cls(tuple(rules))

    def ignores(self, path: str) -> bool:
        """Tell whether a path, seen from the context's root, stays out of the build."""
        parts = path.split("/")
        folders_and_path = ["/".join(parts[: length + 1]) for length in range(len(parts))]
        ignored = False
        for pattern, takes_back in self.rules:
            if ignored == takes_back and any(map(pattern.fullmatch, folders_and_path)):
                ignored = not takes_back
        return ignored


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\]|\\.)", pattern)
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = ""
    for part in parts:
        if part in special:
            expression += special[part]
        elif part.startswith("[") and part.endswith("]"):
            expression += part
        elif part.startswith("\\"):
            expression += re.escape(part[1:])
        else:
            expression += re.escape(part)
    return expression
