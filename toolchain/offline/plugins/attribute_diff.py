"""Comparing a resource's state with its inputs as a Terraform plan does.

* An attribute that was not given and that the engine may choose (`computed`) never differs.
* Sets, and ports, do not differ by their order.
* An empty value and one that was not given are the same.
* An attribute marked `force_new` replaces the resource, all others update it.
* A resource with a name of its own is deleted before its replacement is made (the bridge's
  `nameRequiresDeleteBeforeReplace`): two of that name cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from toolchain.offline.plugins.attributes import DEFAULTS_KEY, Attribute, Kind, Schema
from toolchain.offline.plugins.property_values import Properties, has_unknown
from toolchain.offline.plugins.provider import Change, Difference


def diff_attributes(
    schema: Schema,
    state: Properties,
    news: Properties,
    *,
    named_automatically: bool = True,
    always_delete_first: bool = False,
) -> Difference:
    """Say which attributes differ, and which of them replace the resource."""
    changes = {}
    for key, attribute in schema.items():
        old, new = state.get(key), news.get(key)
        if not same(attribute, old, new):
            kind = "add" if key not in state else "delete" if key not in news else "update"
            changes[key] = Change(kind, replace=attribute.force_new)
    replaces = any(change.replace for change in changes.values())
    own_name = named_automatically and "name" not in news.get(DEFAULTS_KEY, [])
    return Difference(changes, replaces and (always_delete_first or own_name))


def same(attribute: Attribute, old: Any, new: Any) -> bool:
    """Tell whether a plan would leave the attribute alone."""
    if has_unknown(new):
        return False
    if is_empty(new) and (attribute.empty_is_unset or attribute.computed):
        # An explicit false or 0 of a computed attribute counts; an empty text or list does not.
        return new is None or new not in (False, 0) or is_empty(old)
    if is_empty(old) or is_empty(new):
        return is_empty(old) and is_empty(new)
    return _SAME.get(attribute.kind, _same_value)(attribute, old, new)


def is_empty(value: Any) -> bool:
    """Terraform's SDK does not tell an attribute's zero value from one that was not given."""
    return value is None or value in (False, 0, "") or value in ([], {})


def _same_value(attribute: Attribute, old: Any, new: Any) -> bool:
    return bool(old == new)


def _same_item(attribute: Attribute, old: Any, new: Any) -> bool:
    if attribute.fields is None:
        return bool(old == new)
    return _same_fields(attribute.fields, old, new)


def _same_fields(fields: Schema, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(
        same(field, old.get(key, field.default), new.get(key, field.default))
        for key, field in fields.items()
    )


def _same_sequence(attribute: Attribute, old: list[Any], new: list[Any]) -> bool:
    return len(old) == len(new) and all(
        _same_item(attribute, left, right) for left, right in zip(old, new, strict=True)
    )


def _same_items(attribute: Attribute, old: list[Any], new: list[Any]) -> bool:
    """Compare without order: every new item has to find an old one of its own."""
    unmatched = _unique(old)
    for item in _unique(new):
        found = next((left for left in unmatched if _same_item(attribute, left, item)), None)
        if found is None:
            return False
        unmatched.remove(found)
    return not unmatched


_SAME: Mapping[Kind, Callable[[Attribute, Any, Any], bool]] = {
    "set": _same_items,
    "list": _same_sequence,
    "object": _same_item,
}


def _unique(items: list[Any]) -> list[Any]:
    unique: list[Any] = []
    for item in items:
        if item not in unique:
            unique.append(item)
    return unique
