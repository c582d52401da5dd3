"""Where the engine is: at the address that the docker client uses too.

Standard library alone: whoever hands the address to Pulumi's Docker provider needs no docker SDK.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.failure import EngineUnreachableError

LOCAL = "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """A folder with ca.pem, cert.pem and key.pem, and whether the engine's own is checked."""

    folder: Path
    verify: bool


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An engine's address; certificates for one that is asked over TLS."""

    address: str
    certificates: Certificates | None = None


def engine_address(configured: str | None) -> str:
    """The configured engine, else DOCKER_HOST, else the docker client's context.

    Without any of them the local socket. Raises `EngineUnreachableError` for a context that is not
    there, or one that leads Pulumi's Docker provider to another engine.
    """
    return engine_endpoint(configured).address


def engine_endpoint(configured: str | None) -> Endpoint:
    """As `engine_address`, with the certificates that belong to it."""
    host = os.environ.get("DOCKER_HOST")
    context = os.environ.get("DOCKER_CONTEXT")
    if address := configured or host:
        if context:
            _refuse_another(context, address, "host.engine" if configured else "DOCKER_HOST")
        return Endpoint(address=address, certificates=_certificates_of_environment(address))
    return _endpoint_of_context(context or _current_context())


def is_local(address: str) -> bool:
    """Whether the engine runs on this host, so that its ports and disks can be looked at here."""
    return address.startswith("unix://")


def _refuse_another(context: str, address: str, said_by: str) -> None:
    # The provider follows DOCKER_CONTEXT even where it is given a host.
    other = _endpoint_of_context(context).address
    if other != address:
        raise EngineUnreachableError(
            f"{said_by} is {address}, but DOCKER_CONTEXT is {context}, which is {other}: "
            "Pulumi's Docker provider would follow the context",
            f"Unset DOCKER_CONTEXT, or unset {said_by}",
        )


def _certificates_of_environment(address: str) -> Certificates | None:
    # For TCP alone, whatever else the operator's shell has set.
    folder, verify = os.environ.get("DOCKER_CERT_PATH"), bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not address.startswith(("tcp://", "https://")) or not (folder or verify):
        return None
    return Certificates(folder=Path(folder) if folder else _config_folder(), verify=verify)


def _endpoint_of_context(name: str) -> Endpoint:
    if name == DEFAULT_CONTEXT:
        return Endpoint(address=LOCAL)
    # The docker client names the folders of a context by the hash of its name.
    identity = hashlib.sha256(name.encode()).hexdigest()
    file = _config_folder() / "contexts/meta" / identity / "meta.json"
    endpoint = _read_json(file).get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        raise EngineUnreachableError(
            f"there is no Docker context {name!r} with an engine's address (seen in {file})",
            "Choose one of `docker context ls` with `docker context use`, or set host.engine",
        )
    folder = _config_folder() / "contexts/tls" / identity / "docker"
    certificates = Certificates(folder=folder, verify=not endpoint.get("SkipTLSVerify", False))
    return Endpoint(
        address=endpoint["Host"], certificates=certificates if folder.is_dir() else None
    )


def _current_context() -> str:
    return _read_json(_config_folder() / "config.json").get("currentContext") or DEFAULT_CONTEXT


def _config_folder() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else Path.home() / ".docker"


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineUnreachableError(
            f"{file}, which says where the Docker engine is, cannot be read: {error}",
            "Mend it, or set host.engine",
        ) from error
    return content if isinstance(content, dict) else {}
