"""Log lines for the operator, shown by Pulumi at the resource that they belong to."""

from __future__ import annotations

import grpc

from toolchain.offline.plugins.wire import engine_pb2, engine_pb2_grpc


class EngineLog:
    """Pulumi's log; a line that cannot be delivered is not worth failing an operation for."""

    def __init__(self, engine_address: str) -> None:
        self._stub: engine_pb2_grpc.EngineStub | None = None
        if engine_address:
            self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))

    def send(
        self, severity: engine_pb2.LogSeverity.ValueType, urn: str, message: str, *, ephemeral: bool
    ) -> None:
        """Deliver one message; an ephemeral one is shown while the operation runs only."""
        if self._stub is None or not message:
            return
        request = engine_pb2.LogRequest(
            severity=severity, urn=urn, message=message, ephemeral=ephemeral
        )
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError:
            return


class ResourceLog:
    """The log as one resource's operation uses it."""

    def __init__(self, engine: EngineLog, urn: str) -> None:
        self._engine = engine
        self._urn = urn

    def status(self, message: str) -> None:
        """Show progress."""
        self._engine.send(engine_pb2.INFO, self._urn, message, ephemeral=True)

    def debug(self, message: str) -> None:
        """Leave a line for `pulumi --debug`."""
        self._engine.send(engine_pb2.DEBUG, self._urn, message, ephemeral=False)
