"""Comparing a resource's state with its inputs as a Terraform plan does.

* An attribute that was not given and that the engine may choose (`computed`) never differs, unless
  it is a list that the state does not have: that is how a resource looks whose creation failed, and
  a list that replaces then replaces it.
* Sets, and ports, do not differ by their order.
* An empty value and one that was not given are the same.
* An attribute marked `force_new` replaces the resource, all others update it. In a list or set of
  objects that keeps its length it is the changed field's mark that counts: another source of a
  mount is an update.
* A resource with a name is deleted before its replacement is made: two of that name cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolchain.offline.plugins.attributes import Attribute, Schema
from toolchain.offline.plugins.property_values import Properties, has_unknown
from toolchain.offline.plugins.provider import Change, Difference

_LISTS = ("list", "set")


def diff_attributes(
    schema: Schema, state: Properties, news: Properties, *, delete_first: bool
) -> Difference:
    """Say which properties differ, each by its path, and which of them replace the resource."""
    changes: dict[str, Change] = {}
    for key, attribute in schema.items():
        changes |= _differences(attribute, key, state.get(key), news.get(key))
    replaces = any(change.replace for change in changes.values())
    return Difference(changes, delete_before_replace=replaces and delete_first)


def same(attribute: Attribute, old: Any, new: Any) -> bool:
    """Tell whether a plan would leave the attribute alone."""
    return not _differences(attribute, "", old, new)


def is_empty(value: Any) -> bool:
    """Terraform's SDK does not tell an attribute's zero value from one that was not given."""
    return value is None or value in (False, 0, "") or value in ([], {})


def _differences(attribute: Attribute, path: str, old: Any, new: Any) -> dict[str, Change]:
    kind = "add" if old is None else "delete" if new is None else "update"
    whole = {path: Change(kind, replace=attribute.force_new)}
    if attribute.computed and new in (None, []):
        # The engine chose. Only a state that lacks its choice is not done.
        return whole if old is None and attribute.kind in _LISTS and attribute.force_new else {}
    if is_empty(old) or is_empty(new):
        return {} if is_empty(old) and is_empty(new) else whole
    if isinstance(new, list) and isinstance(old, list):
        return dict(_list_differences(attribute, path, old, new))
    if isinstance(new, dict) and isinstance(old, dict) and attribute.fields is not None:
        return _field_differences(attribute.fields, path, old, new)
    return {} if old == new else whole


def _field_differences(
    fields: Schema, path: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for key, field in fields.items():
        before, after = old.get(key, field.default), new.get(key, field.default)
        changes |= _differences(field, f"{path}.{key}", before, after)
    return changes


def _list_differences(
    attribute: Attribute, path: str, old: list[Any], new: list[Any]
) -> Iterator[tuple[str, Change]]:
    """Compare item by item; in a set, what is in both at whatever place is no difference."""
    left, right = dict(enumerate(_unique(old))), dict(enumerate(_unique(new)))
    resized = len(left) != len(right)
    if attribute.kind == "set":
        for place, item in list(right.items()):
            twins = [at for at, other in left.items() if _same_item(attribute, other, item)]
            if twins:
                del left[twins[0]], right[place]
    # Of a list or set of objects that keeps its length, each field says by itself if it replaces.
    whole = attribute.force_new and (resized or attribute.fields is None)
    for place in sorted({*left, *right}):
        at = f"{path}[{place}]"
        if place not in right:
            yield at, Change("delete", replace=whole)
        elif place not in left:
            yield at, Change("add", replace=whole)
        elif attribute.fields is not None:
            fields = _field_differences(attribute.fields, at, left[place], right[place])
            for name, change in fields.items():
                yield name, Change(change.kind, replace=change.replace or whole)
        elif left[place] != right[place] or has_unknown(right[place]):
            yield at, Change("update", replace=whole)


def _same_item(attribute: Attribute, old: Any, new: Any) -> bool:
    if attribute.fields is None:
        return bool(old == new)
    return not _field_differences(attribute.fields, "", old, new)


def _unique(items: list[Any]) -> list[Any]:
    unique: list[Any] = []
    for item in items:
        if item not in unique:
            unique.append(item)
    return unique
