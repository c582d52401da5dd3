"""What the resources that come from Terraform have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from toolchain.offline.plugins.attribute_diff import diff_attributes, same
from toolchain.offline.plugins.attributes import (
    DEFAULTS_KEY,
    Attribute,
    Schema,
    check_inputs,
)
from toolchain.offline.plugins.docker_plugin.engine import Engine
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import UNKNOWN, Properties
from toolchain.offline.plugins.provider import Checked, Difference, Live, Operation

_META_KEY = "__meta"


class BridgedResource:
    """Check, diff and preview by the schema; the engine's part is each resource's own."""

    title: ClassVar[str]
    schema: ClassVar[Schema]
    # Outputs that only the engine can bring, besides the computed ones among the inputs.
    outputs: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = True
    schema_version: ClassVar[int] = 0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, operation: Operation, olds: Properties, news: Properties) -> Checked:
        """Validate the inputs and fill in the defaults."""
        return check_inputs(self.schema, f"{self.title} {operation.resource_name}", news)

    def diff(self, state: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare the state with the inputs; a drift found by a refresh shows here."""
        return diff_attributes(self.schema, state, news, delete_first=self.delete_first)

    def create(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make it, or foretell it."""
        planned = plain(inputs)
        if operation.preview:
            return "", self._foretell(planned)
        resource_id, state = self.make(operation, planned)
        return resource_id, self.checkpoint(resource_id, state)

    def read(
        self, operation: Operation, resource_id: str, state: Properties, inputs: Properties
    ) -> Live | None:
        """Look at it: the inputs that were given follow what the engine has now."""
        found = self.look(operation, resource_id, plain(state))
        if found is None:
            return None
        live_id, live = found
        followed = {
            name: value
            if name == DEFAULTS_KEY or same(self.schema[name], live.get(name), value)
            else _as_given(self.schema[name], live.get(name))
            for name, value in inputs.items()
        }
        return Live(live_id, self.checkpoint(live_id, live), followed)

    def update(
        self, operation: Operation, resource_id: str, state: Properties, news: Properties
    ) -> Properties:
        """Change it in place, or foretell that."""
        # What an update does not set again are the engine's own choices.
        kept = {
            name: value
            for name, value in plain(state).items()
            if name not in self.schema or self.schema[name].computed
        }
        planned = {**kept, **plain(news)}
        if not operation.preview:
            planned = self.change(operation, resource_id, plain(state), planned)
        return self.checkpoint(resource_id, planned)

    def delete(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove it."""
        self.remove(operation, resource_id, plain(state))

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make it in the engine; returns id and state."""
        raise NotImplementedError

    def look(
        self, operation: Operation, resource_id: str, state: Properties
    ) -> tuple[str, Properties] | None:
        """Find it in the engine; `None` when it is gone."""
        raise NotImplementedError

    def change(
        self, operation: Operation, resource_id: str, state: Properties, planned: Properties
    ) -> Properties:
        """Change it in the engine; returns the new state."""
        msg = f"{self.title}: nothing about it can be changed in place"
        raise PluginError(msg)

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove it from the engine."""
        raise NotImplementedError

    def checkpoint(self, resource_id: str, state: Properties) -> Properties:
        """Mark the state with its schema's version: the official plugin can go on from it."""
        meta = f'{{"schema_version":"{self.schema_version}"}}'
        return {
            **state,
            "id": resource_id,
            **({_META_KEY: meta} if self.schema_version else {}),
        }

    def _foretell(self, planned: Properties) -> Properties:
        computed = [name for name, attribute in self.schema.items() if attribute.computed]
        unknown = ["id", *computed, *self.outputs]
        return {**planned, **{name: UNKNOWN for name in unknown if name not in planned}}


def plain(properties: Mapping[str, Any]) -> Properties:
    """The properties without Pulumi's own marks, at every depth."""
    return {
        name: _plain_value(value)
        for name, value in properties.items()
        if not name.startswith("__") and value is not None
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, list):
        return [_plain_value(item) for item in value]
    return value


def _as_given(attribute: Attribute, value: Any) -> Any:
    """A live value as an input: objects list which of their fields came by default, here none."""
    if isinstance(value, list):
        return [_as_given(attribute, item) for item in value]
    if isinstance(value, dict) and attribute.fields is not None:
        return {DEFAULTS_KEY: [], **value}
    return value


def labels_to_map(labels: list[Properties] | None) -> dict[str, str]:
    """Labels as the engine wants them."""
    return {item["label"]: item["value"] for item in labels or []}


def labels_from_map(labels: Mapping[str, str] | None) -> list[Properties]:
    """Labels as the resource has them."""
    return [{"label": label, "value": value} for label, value in sorted((labels or {}).items())]
