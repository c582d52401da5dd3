"""`command:local:Command`, with the rules of pulumi-command 1.2.1 (`local/commandController.go`).

* create runs `create`; update runs `update`, or `create` without one; delete runs `delete`.
* Any changed input is an update. (`triggers`, a change of which replaces, is not served.)
* Read gives back what the state holds.
* A secret input stays secret under its own name. `stdout` and `stderr` do not become secret by
  it: that is what `additional_secret_outputs` is for.
"""

from __future__ import annotations

import secrets
from typing import Any

from toolchain.offline.plugins.command_plugin.local_inputs import COMMAND_INPUTS, check_inputs
from toolchain.offline.plugins.command_plugin.local_process import CommandResult, run_command
from toolchain.offline.plugins.property_values import UNKNOWN, Properties, reveal
from toolchain.offline.plugins.provider import Change, Checked, Difference, Live, Operation


class LocalCommand:
    """A command on the machine that runs Pulumi."""

    def check(self, operation: Operation, olds: Properties, news: Properties) -> Checked:
        """Validate the inputs; they are kept as they came, secret marks included."""
        subject = f"local.Command {operation.resource_name}"
        return Checked(news, check_inputs(subject, news))

    def diff(self, state: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare the inputs of last time with those of now."""
        changes: dict[str, Change] = {}
        for key in COMMAND_INPUTS:
            old, new = old_inputs.get(key), news.get(key)
            if isinstance(old, dict) and isinstance(new, dict):
                for name in {*old, *new}:
                    changes |= _change(f"{key}.{name}", old.get(name), new.get(name))
            else:
                changes |= _change(key, old, new)
        return Difference(changes)

    def create(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Run `create`."""
        kept = _kept(inputs)
        if operation.preview:
            return "", {**kept, "stdout": UNKNOWN, "stderr": UNKNOWN}
        result = _run(operation, inputs, "create", None)
        # As the official one names them: the resource's name and eight hexadecimal digits.
        return operation.resource_name + secrets.token_hex(4), {**kept, **_outputs(result)}

    def read(
        self, operation: Operation, resource_id: str, state: Properties, inputs: Properties
    ) -> Live:
        """Give back what is known: a command has no state of its own to look at."""
        return Live(resource_id, state, inputs)

    def update(
        self, operation: Operation, resource_id: str, state: Properties, news: Properties
    ) -> Properties:
        """Run `update`, or `create` where there is none."""
        if operation.preview:
            return {**_kept(news), "stdout": UNKNOWN, "stderr": UNKNOWN}
        script = "update" if news.get("update") is not None else "create"
        return {**_kept(news), **_outputs(_run(operation, news, script, _previous(state)))}

    def delete(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Run `delete`, if there is one."""
        _run(operation, state, "delete", _previous(state))


def _change(path: str, old: Any, new: Any) -> dict[str, Change]:
    if old == new:
        return {}
    return {path: Change("add" if old is None else "delete" if new is None else "update")}


def _kept(inputs: Properties) -> Properties:
    return {key: value for key, value in inputs.items() if key in COMMAND_INPUTS}


def _previous(state: Properties) -> CommandResult:
    return CommandResult(reveal(state.get("stdout")) or "", reveal(state.get("stderr")) or "")


def _outputs(result: CommandResult) -> Properties:
    return {"stdout": result.stdout, "stderr": result.stderr}


def _run(
    operation: Operation, inputs: Properties, script: str, previous: CommandResult | None
) -> CommandResult:
    plain = reveal(inputs)
    command = plain.get(script)
    if command is None:
        return previous or CommandResult("", "")
    return run_command(operation, command, plain, previous)
