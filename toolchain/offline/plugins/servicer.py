"""A provider behind Pulumi's plugin protocol.

It stands directly on the SDK's generated protocol and not on `pulumi.provider.experimental`: in
3.259.0 that server cannot send a value that is not known yet, cannot report a resource that was
created but failed to come up, and answers an operator's mistake with a stack trace.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2

from toolchain.offline.plugins.answers import (
    check_answer,
    diff_answer,
    initialisation_failure,
    some_or_none,
)
from toolchain.offline.plugins.engine_log import EngineLog, ResourceLog
from toolchain.offline.plugins.errors import PartlyCreatedError, PluginError
from toolchain.offline.plugins.property_values import from_struct, to_struct
from toolchain.offline.plugins.provider import Operation, Provider, Resource
from toolchain.offline.plugins.wire import (
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Turns calls into operations, and their failures into errors that an operator can read."""

    def __init__(self, provider: Provider, log: EngineLog) -> None:
        self._provider = provider
        self._log = log
        self._cancelled = threading.Event()

    # Every method below is called by gRPC by its protocol name.

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Say what the plugin understands."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=self._provider.accepts_secrets)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Say which version the plugin stands in for."""
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        """List what is served; the SDKs are generated from the official schema, not from this."""
        schema = {
            "name": self._provider.name,
            "version": self._provider.version,
            "resources": {token: {} for token in self._provider.resources},
        }
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Follow Pulumi to another log address."""
        self._log = EngineLog(request.address)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """End what is running."""
        self._cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Validate the provider's settings."""
        failures = self._run(
            context, request.urn, lambda _: self._provider.check_config(from_struct(request.news))
        )
        return check_answer(request.news, failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Compare settings: the official docker plugin never replaces its provider."""
        changed = from_struct(request.olds) != from_struct(request.news)
        return provider_pb2.DiffResponse(changes=some_or_none(changed))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Take the settings."""
        settings = from_struct(request.args)
        for key, value in request.variables.items():
            settings.setdefault(key.rsplit(":", 1)[-1], value)
        self._run(context, "", lambda _: self._provider.configure(settings))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=self._provider.accepts_secrets, supportsPreview=True
        )

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        """Refuse a function by name: the stack calls none."""
        context.abort(
            grpc.StatusCode.UNKNOWN,
            f"function {request.tok} is not served by this stand-in for the official "
            f"{self._provider.name} plugin; install the official plugin",
        )

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Validate a resource's inputs."""
        resource = self._resource(context, request.urn)
        olds, news = from_struct(request.olds), from_struct(request.news)
        checked = self._run(
            context, request.urn, lambda operation: resource.check(operation, olds, news)
        )
        return check_answer(to_struct(checked.inputs), checked.failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Compare a resource with its inputs."""
        resource = self._resource(context, request.urn)
        state, news = from_struct(request.olds), from_struct(request.news)
        old_inputs = from_struct(request.old_inputs)
        difference = self._run(
            context, request.urn, lambda _: resource.diff(state, old_inputs, news)
        )
        return diff_answer(difference)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Make a resource."""
        resource = self._resource(context, request.urn)
        inputs = from_struct(request.properties)
        resource_id, state = self._run(
            context, request.urn, lambda operation: resource.create(operation, inputs), request
        )
        return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(state))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Look at a resource."""
        resource = self._resource(context, request.urn)
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        live = self._run(
            context,
            request.urn,
            lambda operation: resource.read(operation, request.id, state, inputs),
        )
        if live is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=live.resource_id, properties=to_struct(live.state), inputs=to_struct(live.inputs)
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Change a resource in place."""
        resource = self._resource(context, request.urn)
        state, news = from_struct(request.olds), from_struct(request.news)
        updated = self._run(
            context,
            request.urn,
            lambda operation: resource.update(operation, request.id, state, news),
            request,
        )
        return provider_pb2.UpdateResponse(properties=to_struct(updated))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Remove a resource."""
        resource = self._resource(context, request.urn)
        state = from_struct(request.properties)
        self._run(
            context,
            request.urn,
            lambda operation: resource.delete(operation, request.id, state),
            request,
        )
        return empty_pb2.Empty()

    def _unserved(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not served by this plugin")

    Parameterize = Call = Construct = List = GetMapping = GetMappings = _unserved

    def _resource(self, context: grpc.ServicerContext, urn: str) -> Resource:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        resource = self._provider.resources.get(token)
        if resource is None:
            served = ", ".join(sorted(self._provider.resources))
            context.abort(
                grpc.StatusCode.UNKNOWN,
                f"resource type {token} is not served by this stand-in for the official "
                f"{self._provider.name} plugin (it serves {served}); install the official plugin",
            )
        return resource

    def _run(
        self,
        context: grpc.ServicerContext,
        urn: str,
        work: Callable[[Operation], Any],
        request: Any = None,
    ) -> Any:
        operation = Operation(
            urn=urn,
            log=ResourceLog(self._log, urn),
            cancelled=self._cancelled,
            preview=getattr(request, "preview", False),
            timeout_seconds=getattr(request, "timeout", 0),
        )
        try:
            return work(operation)
        except PartlyCreatedError as error:
            context.abort_with_status(initialisation_failure(error))
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:  # the last line before gRPC's own stack trace
            operation.log.debug(traceback.format_exc())
            detail = f"{type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, f"{detail} (trace: pulumi --debug)")
