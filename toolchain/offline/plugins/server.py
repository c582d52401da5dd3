"""A plugin's process: it serves until Pulumi ends it, or until Pulumi is gone."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from toolchain.offline.plugins.engine_log import EngineLog
from toolchain.offline.plugins.provider import Provider
from toolchain.offline.plugins.servicer import Servicer
from toolchain.offline.plugins.wire import provider_pb2_grpc

# Pulumi runs at most 4 operations per core by default; the threads are made on demand.
_THREADS = 256
_MESSAGE_LIMIT = 400 * 1024 * 1024
_ORPHAN_CHECK_SECONDS = 2.0


def serve(provider: Provider, arguments: list[str]) -> None:
    """Serve until Pulumi ends the process; the port is the one line that goes to stdout."""
    positional = [argument for argument in arguments if not argument.startswith("-")]
    log = EngineLog(positional[0] if positional else "")
    limits = [
        ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
        ("grpc.max_send_message_length", _MESSAGE_LIMIT),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=_THREADS), options=limits)
    servicer = Servicer(provider, log)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    server.wait_for_termination()


def _end_with_parent(parent: int) -> None:
    """Leave when Pulumi is gone: a killed CLI would otherwise leave its plugins behind."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_CHECK_SECONDS)
    os._exit(1)
