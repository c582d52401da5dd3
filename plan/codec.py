"""The one codec: dataclasses of this room to JSON and back.

A field is spelled once, in its dataclass. A reader ignores keys that it does not know and fills in
defaults, so that what an earlier version stored in a state can still be deleted by a later one.
"""

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class DecodeError(Exception):
    """A document that does not describe the dataclass that was asked for."""


def encode(value: Any) -> str:
    """A dataclass as one JSON document; the same value gives the same text."""
    return json.dumps(as_json(value), sort_keys=True, ensure_ascii=False)


def decode(kind: type[T], text: str | bytes) -> T:
    """The dataclass in a JSON document.

    Raises `DecodeError` for what is no JSON, and for a field that is missing or of another type.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DecodeError(f"it is no JSON ({error})") from error
    return cast("T", _read(kind, document, ""))


def as_json(value: Any) -> Any:
    """A value in JSON's own types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: as_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return value


def _read(kind: Any, document: Any, place: str) -> Any:
    """The value of a type, such as `tuple[Mount, ...]`, that JSON's own types describe."""
    origin = get_origin(kind) or kind
    if dataclasses.is_dataclass(origin):
        return _read_dataclass(origin, get_args(kind), _must_be(dict, document, place), place)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), document, place)
    if origin is tuple:
        item = get_args(kind)[0]
        items = enumerate(_must_be(list, document, place))
        return tuple(_read(item, value, f"{place}[{index}]") for index, value in items)
    if origin is Mapping:
        item = get_args(kind)[1]
        entries = _must_be(dict, document, place).items()
        return {key: _read(item, value, f"{place}.{key}") for key, value in entries}
    return _read_scalar(kind, document, place)


def _read_scalar(kind: Any, document: Any, place: str) -> Any:
    if kind is Any or kind is object:
        return document
    if get_origin(kind) is Literal:
        if document not in get_args(kind):
            raise DecodeError(f"{place} is {document!r}, which is none of {get_args(kind)}")
        return document
    if kind is float and type(document) is int:
        return float(document)
    return _must_be(kind, document, place)


def _read_dataclass(
    kind: Any, arguments: tuple[Any, ...], document: Mapping[str, Any], place: str
) -> Any:
    parameters = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=True))
    hints = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in document:
            hint = hints[field.name]
            values[field.name] = _read(parameters.get(hint, hint), document[field.name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DecodeError(f"it has no {where!r}")
    return kind(**values)


def _read_union(members: tuple[Any, ...], document: Any, place: str) -> Any:
    failures = []
    for member in members:
        try:
            return _read(member, document, place)
        except DecodeError as failure:
            failures.append(str(failure))
    raise DecodeError(" and ".join(failures))


def _must_be(kind: type[T], document: Any, place: str) -> T:
    if type(document) is not kind:
        raise DecodeError(f"{place or 'it'} is {document!r}, which is no {kind.__name__}")
    return document
