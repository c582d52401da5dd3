"""Pulumi's property values as plain Python values.

Structs become dicts, whole numbers become ints, a value that is not known yet is `UNKNOWN`, and a
secret is a `Secret` around its value. The markers are those of Pulumi's wire format (`rpc.py` in
the Python SDK, `plugin/rpc.go` in the Go SDK).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

Properties = dict[str, Any]

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type's name
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_WIRE_VALUES: Final = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # any
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # map
    }
)
_UNKNOWN_WIRE_VALUE: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """The type of `UNKNOWN`, a value that only the deployment will bring."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that Pulumi encrypts in its state and hides in its output."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(***)"


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Read a resource's properties off the wire."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in _UNKNOWN_WIRE_VALUES else text
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "struct_value":
            return _from_fields(value.struct_value)
        case _:
            return None


def _from_fields(struct: struct_pb2.Struct) -> Any:
    fields = from_struct(struct)
    match fields.get(SIGNATURE_KEY):
        case None:
            return fields
        case signature if signature == SECRET_SIGNATURE:
            return Secret(fields.get("value"))
        case signature if signature == OUTPUT_SIGNATURE:
            value = fields.get("value", UNKNOWN)
            return Secret(value) if fields.get("secret") else value
        case _:
            # Assets, archives and references travel through untouched: nothing here reads them.
            return fields


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Put a resource's properties on the wire; `None` is left out, as the official plugins do."""
    return struct_pb2.Struct(
        fields={key: _to_value(value) for key, value in properties.items() if value is not None}
    )


def _to_value(value: Any) -> struct_pb2.Value:  # noqa: PLR0911 - one per wire type
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=_UNKNOWN_WIRE_VALUE)
    if isinstance(value, Secret):
        marked = {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value}
        return struct_pb2.Value(struct_value=to_struct(marked))
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=to_struct(value))
    if isinstance(value, list | tuple):
        items = [_to_value(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    msg = f"a property value of type {type(value).__name__} cannot be sent to Pulumi"
    raise TypeError(msg)


def reveal(value: Any) -> Any:
    """Drop the secret marks, at every depth: for the code that has to use the values."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Tell whether any part of a value is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return False
