"""Drives a plugin over its own protocol, in the order in which Pulumi does."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2

from toolchain.offline.plugins.property_values import from_struct, to_struct
from toolchain.offline.plugins.wire import (
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

URN_PREFIX = "urn:pulumi:dev::contract::"


class LogListener(engine_pb2_grpc.EngineServicer):
    """Pulumi's side of the log: keeps what a plugin says, by resource name."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self._server = grpc.server(ThreadPoolExecutor(4))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Log(self, request: Any, context: Any) -> Any:
        self.messages.append((request.urn.rsplit("::", 1)[-1], request.message))
        return empty_pb2.Empty()

    def of(self, name: str) -> list[str]:
        return [message for resource, message in self.messages if resource == name]

    def close(self) -> None:
        self._server.stop(None)


class PluginProcess:
    """A plugin as Pulumi starts it: one line on stdout, the port, and nothing else anywhere."""

    def __init__(self, executable: Path, engine_address: str, **environment: str) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the plugin
        self.process = subprocess.Popen(
            [executable, engine_address],
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        port = int(self.process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def configure(self, **settings: str) -> Any:
        request = provider_pb2.ConfigureRequest(
            args=to_struct(settings),
            # Twice, as Pulumi does: the official docker plugin still reads these.
            variables={f"docker:config:{name}": value for name, value in settings.items()},
            acceptSecrets=True,
        )
        return self.stub.Configure(request)

    def check_config(self, **settings: Any) -> list[str]:
        request = provider_pb2.CheckRequest(urn=URN_PREFIX + "p::n", news=to_struct(settings))
        return [failure.reason for failure in self.stub.CheckConfig(request).failures]

    def complaints(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read().decode()

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.stderr.close()


@dataclass
class Refused(Exception):
    """Inputs that a check did not accept."""

    reasons: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(self.reasons.values())


@dataclass
class Plan:
    """What a diff said."""

    changes: dict[str, str]
    replaces: list[str]
    delete_first: bool

    def kinds(self) -> dict[str, str]:
        """What becomes of each property: it replaces the resource, or it updates it."""
        properties = {re.split(r"[.[]", path, maxsplit=1)[0] for path in self.changes}
        return {
            name: "replace" if name in self.replaces else "update" for name in sorted(properties)
        }


@dataclass
class Managed:
    """One resource: its state between the calls, as Pulumi keeps it."""

    stub: Any
    token: str
    name: str
    resource_id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    timeout: float = 0

    @property
    def urn(self) -> str:
        return f"{URN_PREFIX}{self.token}::{self.name}"

    def check(self, **news: Any) -> dict[str, Any]:
        response = self.stub.Check(
            provider_pb2.CheckRequest(
                urn=self.urn, olds=to_struct(self.inputs), news=to_struct(news)
            )
        )
        if response.failures:
            raise Refused({failure.property: failure.reason for failure in response.failures})
        return from_struct(response.inputs)

    def plan(self, **news: Any) -> Plan:
        response = self.stub.Diff(
            provider_pb2.DiffRequest(
                id=self.resource_id,
                urn=self.urn,
                olds=to_struct(self.state),
                old_inputs=to_struct(self.inputs),
                news=to_struct(self.check(**news)),
            )
        )
        kinds = provider_pb2.PropertyDiff.Kind
        changes = {
            name: kinds.Name(change.kind).lower() for name, change in response.detailedDiff.items()
        }
        assert bool(changes) == (response.changes == provider_pb2.DiffResponse.DIFF_SOME)
        return Plan(changes, list(response.replaces), response.deleteBeforeReplace)

    def preview(self, **news: Any) -> dict[str, Any]:
        request = self._create_request(self.check(**news), preview=True)
        return from_struct(self.stub.Create(request).properties)

    def create(self, **news: Any) -> Managed:
        inputs = self.check(**news)
        response = self.stub.Create(self._create_request(inputs, preview=False))
        self.resource_id, self.inputs = response.id, inputs
        self.state = from_struct(response.properties)
        return self

    def update(self, *, preview: bool = False, **news: Any) -> dict[str, Any]:
        inputs = self.check(**news)
        response = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=self.resource_id,
                urn=self.urn,
                olds=to_struct(self.state),
                old_inputs=to_struct(self.inputs),
                news=to_struct(inputs),
                preview=preview,
                timeout=self.timeout,
            )
        )
        updated = from_struct(response.properties)
        if not preview:
            self.inputs, self.state = inputs, updated
        return updated

    def refresh(self) -> bool:
        """Read; tells whether the resource is still there."""
        response = self.stub.Read(
            provider_pb2.ReadRequest(
                id=self.resource_id,
                urn=self.urn,
                properties=to_struct(self.state),
                inputs=to_struct(self.inputs),
            )
        )
        if not response.id:
            return False
        self.resource_id = response.id
        self.state, self.inputs = from_struct(response.properties), from_struct(response.inputs)
        return True

    def delete(self) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=self.resource_id,
                urn=self.urn,
                properties=to_struct(self.state),
                timeout=self.timeout,
            )
        )

    def _create_request(self, inputs: dict[str, Any], *, preview: bool) -> Any:
        return provider_pb2.CreateRequest(
            urn=self.urn, properties=to_struct(inputs), preview=preview, timeout=self.timeout
        )


def told(error: Any) -> str:
    """What a failed call says to the operator."""
    text: str = error.details()
    return text


def partly_created(error: Any) -> Any:
    """The details of a resource that exists but did not come up."""
    (packed,) = [
        value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"
    ]
    status = status_pb2.Status.FromString(packed)
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    return failure


def in_parallel(*calls: Any) -> list[Any]:
    """Run calls at the same time, as Pulumi does with independent resources."""
    barrier = threading.Barrier(len(calls))

    def run(call: Any) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]
