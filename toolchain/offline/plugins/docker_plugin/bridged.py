"""What the resources that come from Terraform have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from toolchain.offline.plugins.attribute_diff import diff_attributes, is_empty
from toolchain.offline.plugins.attributes import (
    DEFAULTS_KEY,
    Schema,
    check_inputs,
    with_automatic_name,
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
    named_automatically: ClassVar[bool] = True
    always_delete_first: ClassVar[bool] = False
    schema_version: ClassVar[int] = 0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, operation: Operation, olds: Properties, news: Properties) -> Checked:
        """Validate the inputs and fill in the defaults."""
        subject = f"{self.title} {operation.resource_name}"
        if not self.named_automatically or news.get("name"):
            return check_inputs(self.schema, subject, news)
        named = with_automatic_name(news, operation.resource_name, olds)
        checked = check_inputs(self.schema, subject, named)
        defaults = sorted([*checked.inputs[DEFAULTS_KEY], "name"])
        return Checked({**checked.inputs, DEFAULTS_KEY: defaults}, checked.failures)

    def diff(self, state: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare the state with the inputs; a drift found by a refresh shows here."""
        return diff_attributes(
            self.schema,
            state,
            news,
            named_automatically=self.named_automatically,
            always_delete_first=self.always_delete_first,
        )

    def create(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make it, or foretell it."""
        planned = plain(inputs)
        if operation.preview:
            return "", self._foretell(planned)
        resource_id, state = self.make(operation, planned)
        return resource_id, self._checkpoint(state)

    def read(
        self, operation: Operation, resource_id: str, state: Properties, inputs: Properties
    ) -> Live | None:
        """Look at it: the inputs that were given follow what the engine has now."""
        found = self.look(operation, resource_id, plain(state))
        if found is None:
            return None
        live_id, live_state = found
        return Live(live_id, self._checkpoint(live_state), self._live_inputs(inputs, live_state))

    def update(
        self, operation: Operation, resource_id: str, state: Properties, news: Properties
    ) -> Properties:
        """Change it in place, or foretell that."""
        planned = {**self._carried_over(plain(state)), **plain(news)}
        if not operation.preview:
            planned = self.change(operation, resource_id, plain(state), planned)
        return self._checkpoint(planned)

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

    def _foretell(self, planned: Properties) -> Properties:
        computed = [name for name, attribute in self.schema.items() if attribute.computed]
        unknown = {name: UNKNOWN for name in (*computed, *self.outputs) if name not in planned}
        return {**planned, **unknown}

    def _carried_over(self, state: Properties) -> Properties:
        """What an update does not set again: the engine's own choices."""
        return {
            name: value
            for name, value in state.items()
            if name not in self.schema or self.schema[name].computed
        }

    def _live_inputs(self, inputs: Properties, state: Properties) -> Properties:
        if not inputs:
            # An import: what differs from the defaults is what a program would have to say.
            given = {
                name: state[name]
                for name, attribute in self.schema.items()
                if not is_empty(state.get(name)) and state[name] != attribute.default
            }
            return {**given, DEFAULTS_KEY: []}
        return {name: state.get(name, value) for name, value in inputs.items()}

    def _checkpoint(self, state: Properties) -> Properties:
        """Mark the state with its schema's version: the official plugin can go on from it."""
        if not self.schema_version:
            return state
        return {**state, _META_KEY: f'{{"schema_version":"{self.schema_version}"}}'}


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


def labels_to_map(labels: list[Properties] | None) -> dict[str, str]:
    """Labels as the engine wants them."""
    return {item["label"]: item["value"] for item in labels or []}


def labels_from_map(labels: Mapping[str, str] | None) -> list[Properties]:
    """Labels as the resource has them."""
    return [{"label": label, "value": value} for label, value in sorted((labels or {}).items())]
