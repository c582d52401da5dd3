"""A JSON list of rows, split while it is read: no more than a few rows are in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.json_lines import HALF_CHARACTER, demand_characters

CHUNK = 1024 * 1024
LONGEST_TOKEN = 16
"""Characters of an escape, a number's sign or a literal that a chunk's end may cut through."""

WHITE_SPACE = re.compile(r"[ \t\r\n]*")
COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")


def read_array(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """The rows of the list with their numbers, from 1 on.

    Raises `DataFileError` at the place where the text is no JSON list.
    """
    text = _Text(file)
    text.skip("[")
    if text.next_character() != "]":
        yield from enumerate(text.values(), start=1)
    text.skip("]", otherwise="Expecting ',' or ']'")
    if text.next_character():
        text.fail(text.at, "Extra data")


class _Text:
    """The part of the text that is being looked at, and where in the file it lies."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self.at = 0
        self._line = 1
        self._characters_before = 0
        """Of the line in which the text begins."""
        self._ended = False

    def next_character(self) -> str:
        """The next one that is no white space, which stays; empty at the end of the file."""
        while True:
            blank = WHITE_SPACE.match(self._text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if self._ended:
                return ""
            self._read_on(CHUNK)

    def skip(self, character: str, *, otherwise: str = "Expecting a list") -> None:
        """Go past a character that must come next."""
        if self.next_character() != character:
            self.fail(self.at, otherwise)
        self.at += 1

    def values(self) -> Iterator[Any]:
        """The next value, and those that follow it with a comma between."""
        while True:
            yield self._value()
            comma = COMMA.match(self._text, self.at)
            if comma and comma.end() < len(self._text):
                self.at = comma.end()
            elif self.next_character() == ",":
                self.at += 1
                self.next_character()
            else:
                return

    def _value(self) -> Any:
        """The value that begins here. Where the text ends within it, more is read."""
        more = CHUNK
        while True:
            text, at = self._text, self.at
            try:
                value, end = self._decode(text, at)
            except json.JSONDecodeError as error:
                if self._ended or not self._is_cut_off(error):
                    self.fail(error.pos, error.msg)
            else:
                if end < len(text) or self._ended:
                    if text.find("\\u", at, end) >= 0 and HALF_CHARACTER.search(text, at, end):
                        demand_characters(value, f"line {self._line_of(at)}")
                    self.at = end
                    return value
            self._read_on(more)
            # A value of many chunks is decoded a few times, not once for each.
            more *= 2

    def _is_cut_off(self, error: json.JSONDecodeError) -> bool:
        near_the_end = error.pos > len(self._text) - LONGEST_TOKEN
        return near_the_end or error.msg.startswith("Unterminated string")

    def _read_on(self, size: int) -> None:
        passed = self._text[: self.at]
        lines = passed.count("\n")
        self._line += lines
        before = 0 if lines else self._characters_before
        self._characters_before = before + len(passed) - (passed.rfind("\n") + 1)
        chunk = self._file.read(size)
        self._ended = not chunk
        try:
            self._text = self._text[self.at :] + self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError:
            line = self._line + self._text.count("\n", self.at)
            raise DataFileError(
                f"is not UTF-8 text (at or after line {line})", "save it as UTF-8"
            ) from None
        self.at = 0

    def _line_of(self, at: int) -> int:
        return self._line + self._text.count("\n", 0, at)

    def fail(self, at: int, said: str) -> NoReturn:
        """Raises `DataFileError` with the place in the file."""
        line = self._line_of(at)
        start = self._text.rfind("\n", 0, at) + 1
        character = at - start + 1 + (0 if start else self._characters_before)
        raise DataFileError(f"is not valid JSON (line {line}, character {character}: {said})")
