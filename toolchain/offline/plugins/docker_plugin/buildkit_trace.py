"""BuildKit's progress records, which the engine puts into its build log as base64 protobuf.

Only what is shown is read: `StatusResponse` of moby/buildkit's `control.proto`, with its vertexes
(digest 1, name 3, cached 4, completed 6, error 7) and their logs (message 4).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

_VERTEXES, _LOGS = 1, 3
_NAME, _CACHED, _COMPLETED, _ERROR = 3, 4, 6, 7
_LOG_MESSAGE = 4
_CONTINUED = 0x80
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def trace_lines(record: str) -> Iterator[str]:
    """The lines that a person wants to see of one record."""
    for field, value in _fields(base64.b64decode(record)):
        if not isinstance(value, bytes):
            continue
        inner = dict(_fields(value))
        if field == _VERTEXES:
            yield from _vertex_lines(inner)
        elif field == _LOGS:
            yield from _text(inner.get(_LOG_MESSAGE)).splitlines()


def _vertex_lines(vertex: dict[int, int | bytes]) -> Iterator[str]:
    name = _text(vertex.get(_NAME))
    if vertex.get(_ERROR):
        yield f"{name}: {_text(vertex[_ERROR])}"
    elif vertex.get(_CACHED):
        yield f"{name} (cached)"
    elif _COMPLETED not in vertex and name:
        yield name


def _text(value: int | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walk over the fields of one protobuf message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, position = _varint(data, position)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[kind]
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & ~_CONTINUED) << shift
        if byte < _CONTINUED:
            return value, position
        shift += 7
