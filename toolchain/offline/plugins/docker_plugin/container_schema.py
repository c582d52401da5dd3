"""The attributes of `docker:index/container:Container` that are served.

From the schema in terraform-provider-docker's `resource_docker_container.go` (4.5.0), under the
names that Pulumi's bridge gives them (plurals; `test` is `tests`, `group_add` is `groupAdds`). What
is not marked `force_new` is changed in place or, like `healthcheck` and a mount's fields, only in
the state: the official provider does not touch a running container for it either.
"""

from __future__ import annotations

from typing import Final

from toolchain.offline.plugins.attributes import Attribute, Schema
from toolchain.offline.plugins.docker_plugin.volume import LABEL_FIELDS

_DURATION: Final = r"([0-9]+(\.[0-9]+)?(h|m|s|ms|us|ns))+|0"

CONTAINER_SCHEMA: Final[Schema] = {
    "name": Attribute("string", required=True, force_new=True),
    "image": Attribute("string", required=True, force_new=True),
    # What runs, with what around it.
    "command": Attribute("list", force_new=True, computed=True),
    "envs": Attribute("set", force_new=True, computed=True),
    "labels": Attribute("set", force_new=True, computed=True, fields=LABEL_FIELDS),
    "healthcheck": Attribute(
        "object",
        computed=True,
        fields={
            "tests": Attribute("list"),
            "interval": Attribute("string", default="0s", pattern=_DURATION),
            "timeout": Attribute("string", default="0s", pattern=_DURATION),
            "startPeriod": Attribute("string", default="0s", pattern=_DURATION),
            "startInterval": Attribute("string", default="0s", pattern=_DURATION, served=False),
            "retries": Attribute("integer", minimum=0),
        },
    ),
    # Files, ports, networks.
    "mounts": Attribute(
        "set",
        force_new=True,
        fields={
            "target": Attribute("string", required=True),
            "type": Attribute("string", required=True, pattern="bind|volume"),
            "source": Attribute("string"),
            "readOnly": Attribute("boolean"),
        },
    ),
    "ports": Attribute(
        "set",  # a list, whose order is suppressed in the diff
        force_new=True,
        fields={
            "internal": Attribute("integer", required=True, force_new=True),
            "external": Attribute("integer", computed=True, force_new=True),
            "ip": Attribute("string", default="0.0.0.0", force_new=True),  # noqa: S104 - the official default
            "protocol": Attribute("string", default="tcp", force_new=True, pattern="tcp|udp"),
        },
    ),
    "networksAdvanced": Attribute(
        "set",
        force_new=True,
        fields={"name": Attribute("string", required=True, force_new=True)},
    ),
    # Devices, privileges and limits. Sizes are in MiB.
    "gpus": Attribute("string", force_new=True, pattern="all|[0-9]+"),
    "devices": Attribute(
        "set",
        force_new=True,
        fields={
            "hostPath": Attribute("string", required=True, force_new=True),
            "containerPath": Attribute("string", force_new=True),
            "permissions": Attribute("string", default="rwm", force_new=True),
        },
    ),
    "groupAdds": Attribute("set", force_new=True),
    "securityOpts": Attribute("set", force_new=True, computed=True),
    "capabilities": Attribute(
        "object",  # a set of at most one
        force_new=True,
        fields={
            "adds": Attribute("set", force_new=True),
            "drops": Attribute("set", force_new=True),
        },
    ),
    "readOnly": Attribute("boolean", force_new=True),
    # Not ForceNew, and nothing is done about it in the engine.
    "tmpfs": Attribute("map"),
    "logDriver": Attribute("string", force_new=True, computed=True),
    "logOpts": Attribute("map", force_new=True),
    "ipcMode": Attribute("string", force_new=True, computed=True),
    # In MiB, both changed in place. Without the second the engine allows as much swap again.
    "memory": Attribute("integer", minimum=0),
    "memorySwap": Attribute("integer", minimum=-1),
    "shmSize": Attribute("integer", force_new=True, computed=True, minimum=0),
    # How it is kept.
    "restart": Attribute("string", default="no", pattern="no|on-failure|always|unless-stopped"),
    "wait": Attribute("boolean"),
    "waitTimeout": Attribute("integer", default=60),
    "destroyGraceSeconds": Attribute("integer"),
    # Not for a program to choose here, but part of every state.
    "entrypoints": Attribute("list", force_new=True, computed=True, served=False),
    "mustRun": Attribute("boolean", default=True, served=False),
    "networkMode": Attribute("string", default="bridge", force_new=True, served=False),
    "removeVolumes": Attribute("boolean", default=True, served=False),
    "start": Attribute("boolean", default=True, served=False),
    "containerReadRefreshTimeoutMilliseconds": Attribute("integer", default=15000, served=False),
}
