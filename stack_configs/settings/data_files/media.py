"""Images, videos and audios that rows name: files below the data set's media folder."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any


class Media:
    """The media folder of a data set, and what is wrong with the names that rows give."""

    def __init__(self, columns: Iterable[tuple[str, str]], folder: Path) -> None:
        self._columns, self._folder = tuple(columns), folder
        self._found: dict[str, str | None] = {}

    def problems(self, row: dict[str, Any], texts: Iterable[str]) -> list[str]:
        """What is wrong in a row. `texts` are those in which the placeholders stand."""
        found = []
        texts = list(texts)
        for placeholder, column in self._columns:
            try:
                names = _names(row.get(column))
            except TypeError:
                found.append(f"has no path and no list of paths in column {column!r}")
                continue
            found += [
                f"has {name!r} in column {column!r}, which {problem}"
                for name in _flat(names)
                if (problem := self._problem_of(name))
            ]
            count = sum(text.count(placeholder) for text in texts)
            if count != len(names):
                found.append(
                    f"has {placeholder} {count} times in its texts, and {len(names)} in column "
                    f"{column!r}"
                )
        return found

    def _problem_of(self, name: str) -> str | None:
        if name not in self._found:
            self._found[name] = self._look_for(name)
        return self._found[name]

    def _look_for(self, name: str) -> str | None:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            return "lies outside media_dir"
        return None if (self._folder / path).is_file() else f"is no file in {self._folder.name}"


def _names(value: Any) -> list[Any]:
    """The files of a row: one path, a list of paths, or a list of videos as lists of frames.

    Raises `TypeError` for anything else.
    """
    names = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in _flat(names)):
        raise TypeError
    return names


def _flat(names: list[Any]) -> list[Any]:
    return [part for name in names for part in (name if isinstance(name, list) else [name])]
