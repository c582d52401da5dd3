"""Answers as the plugin protocol words them."""

from __future__ import annotations

import re
from typing import Any

import grpc
from google.protobuf import any_pb2

from toolchain.offline.plugins.errors import PartlyCreatedError
from toolchain.offline.plugins.property_values import to_struct
from toolchain.offline.plugins.provider import Change, Difference, Failure
from toolchain.offline.plugins.wire import provider_pb2, status_pb2


def check_answer(inputs: Any, failures: tuple[Failure, ...]) -> Any:
    """The inputs as they are to be used, and what is wrong with them."""
    return provider_pb2.CheckResponse(
        inputs=inputs,
        failures=[
            provider_pb2.CheckFailure(property=failure.property, reason=failure.reason)
            for failure in failures
        ],
    )


def diff_answer(difference: Difference) -> Any:
    """What an update would change, property by property."""
    changes = difference.changes
    return provider_pb2.DiffResponse(
        changes=some_or_none(bool(changes)),
        diffs=sorted({_property(path) for path in changes}),
        replaces=sorted({_property(path) for path, change in changes.items() if change.replace}),
        deleteBeforeReplace=difference.delete_before_replace,
        detailedDiff={name: _property_diff(change) for name, change in changes.items()},
        hasDetailedDiff=True,
    )


def _property(path: str) -> str:
    """The resource's own property that a path leads into: `mounts` of `mounts[0].source`."""
    return re.split(r"[.[]", path, maxsplit=1)[0]


def some_or_none(differs: bool) -> Any:
    """Whether there is a difference at all."""
    kinds = provider_pb2.DiffResponse
    return kinds.DIFF_SOME if differs else kinds.DIFF_NONE


def _property_diff(change: Change) -> Any:
    name = change.kind.upper() + ("_REPLACE" if change.replace else "")
    return provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(name))


class _Status(grpc.Status):
    """A gRPC status with details for Pulumi."""

    def __init__(self, message: str, details: status_pb2.Status) -> None:
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        self.trailing_metadata = (("grpc-status-details-bin", details.SerializeToString()),)


def initialisation_failure(error: PartlyCreatedError) -> _Status:
    """A resource that exists but did not come up: Pulumi keeps it, with the reason."""
    failure = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id, properties=to_struct(error.state), reasons=[str(error)]
    )
    packed = any_pb2.Any()
    packed.Pack(failure)
    details = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    details.details.append(packed)
    return _Status(str(error), details)
