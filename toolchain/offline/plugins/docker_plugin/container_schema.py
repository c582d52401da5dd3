"""The attributes of `docker:index/container:Container` that are served.

From the schema in terraform-provider-docker's `resource_docker_container.go` (4.5.0), under the
names that Pulumi's bridge gives them (plurals; `test` is `tests`, `add` is `adds`). What is not
marked `force_new` is changed in place, or, like `healthcheck`, only in the state: the official
provider does not touch a running container for it either.
"""

from __future__ import annotations

from typing import Final

from toolchain.offline.plugins.attributes import Attribute, Schema
from toolchain.offline.plugins.docker_plugin.volume import LABEL_FIELDS

_MOUNT_FIELDS: Final = {
    "target": Attribute("string", required=True),
    "type": Attribute("string", required=True, pattern="bind|volume|tmpfs"),
    "source": Attribute("string"),
    "readOnly": Attribute("boolean"),
}
_VOLUME_FIELDS: Final = {
    "containerPath": Attribute("string"),
    "volumeName": Attribute("string"),
    "hostPath": Attribute("string", pattern="/.*"),
    "fromContainer": Attribute("string"),
    "readOnly": Attribute("boolean"),
}
_PORT_FIELDS: Final = {
    "internal": Attribute("integer", required=True),
    "external": Attribute("integer", computed=True),
    "ip": Attribute("string", default="0.0.0.0"),  # noqa: S104 - the official default
    "protocol": Attribute("string", default="tcp"),
}
_NETWORK_FIELDS: Final = {
    "name": Attribute("string", required=True),
    "aliases": Attribute("set"),
    "ipv4Address": Attribute("string"),
}
_DEVICE_FIELDS: Final = {
    "hostPath": Attribute("string", required=True),
    "containerPath": Attribute("string"),
    "permissions": Attribute("string", default="rwm"),
}
_ULIMIT_FIELDS: Final = {
    "name": Attribute("string", required=True),
    "soft": Attribute("integer", required=True),
    "hard": Attribute("integer", required=True),
}
_UPLOAD_FIELDS: Final = {
    "file": Attribute("string", required=True),
    "content": Attribute("string"),
    "contentBase64": Attribute("string"),
    "source": Attribute("string"),
    "sourceHash": Attribute("string"),
    "executable": Attribute("boolean", default=False),
    "permissions": Attribute("string", pattern="0[0-7]{3}"),
}
_HOST_FIELDS: Final = {
    "host": Attribute("string", required=True),
    "ip": Attribute("string", required=True),
}
_CAPABILITY_FIELDS: Final = {"adds": Attribute("set"), "drops": Attribute("set")}
_DURATION: Final = r"([0-9]+(\.[0-9]+)?(h|m|s|ms|us|ns))+|0"
_HEALTHCHECK_FIELDS: Final = {
    "tests": Attribute("list"),
    "interval": Attribute("string", default="0s", pattern=_DURATION),
    "timeout": Attribute("string", default="0s", pattern=_DURATION),
    "startPeriod": Attribute("string", default="0s", pattern=_DURATION),
    "startInterval": Attribute("string", default="0s", pattern=_DURATION),
    "retries": Attribute("integer", default=0, minimum=0),
}

CONTAINER_SCHEMA: Final[Schema] = {
    "name": Attribute("string", required=True, force_new=True),
    "image": Attribute("string", required=True, force_new=True),
    # What runs, as whom, with what around it.
    "command": Attribute("list", force_new=True, computed=True),
    "entrypoints": Attribute("list", force_new=True, computed=True),
    "envs": Attribute("set", force_new=True, computed=True),
    "user": Attribute("string", force_new=True, empty_is_unset=True),
    "workingDir": Attribute("string", force_new=True, empty_is_unset=True),
    "groupAdds": Attribute("set", force_new=True),
    "hostname": Attribute("string", force_new=True, computed=True),
    "domainname": Attribute("string", force_new=True),
    "labels": Attribute("set", force_new=True, computed=True, fields=LABEL_FIELDS),
    "tty": Attribute("boolean", force_new=True, default=False),
    "stdinOpen": Attribute("boolean", force_new=True, default=False),
    "init": Attribute("boolean", computed=True),
    "stopSignal": Attribute("string", force_new=True, computed=True),
    "stopTimeout": Attribute("integer", force_new=True, computed=True),
    "healthcheck": Attribute("object", computed=True, fields=_HEALTHCHECK_FIELDS),
    "uploads": Attribute("set", force_new=True, fields=_UPLOAD_FIELDS),
    # Storage and networks.
    "mounts": Attribute("set", force_new=True, fields=_MOUNT_FIELDS),
    "volumes": Attribute("set", force_new=True, fields=_VOLUME_FIELDS),
    "tmpfs": Attribute("map"),
    "readOnly": Attribute("boolean", force_new=True, default=False),
    # A list in Terraform, but one whose order makes no difference there either.
    "ports": Attribute("set", force_new=True, fields=_PORT_FIELDS),
    "networkMode": Attribute("string", force_new=True, default="bridge"),
    "networksAdvanced": Attribute("set", force_new=True, fields=_NETWORK_FIELDS),
    "hosts": Attribute("set", force_new=True, fields=_HOST_FIELDS),
    # Devices and limits. Memory and shmSize are in MiB.
    "gpus": Attribute("string", force_new=True),
    "runtime": Attribute("string", force_new=True, computed=True),
    "devices": Attribute("set", force_new=True, fields=_DEVICE_FIELDS),
    "shmSize": Attribute("integer", force_new=True, computed=True, minimum=0),
    "ipcMode": Attribute("string", force_new=True, computed=True),
    "capabilities": Attribute("object", force_new=True, fields=_CAPABILITY_FIELDS),
    "securityOpts": Attribute("set", force_new=True, computed=True),
    "privileged": Attribute("boolean", force_new=True),
    "sysctls": Attribute("map", force_new=True),
    "ulimits": Attribute("set", force_new=True, fields=_ULIMIT_FIELDS),
    "cpus": Attribute("string", force_new=True, pattern=r"[0-9]+(\.[0-9]+)?"),
    "cpuSet": Attribute("string", pattern=r"\d+([,-]\d+)*"),
    "cpuShares": Attribute("integer", minimum=0),
    "memory": Attribute("integer", minimum=0),
    "memoryReservation": Attribute("integer", minimum=0, default=0),
    "memorySwap": Attribute("integer", minimum=-1),
    "logDriver": Attribute("string", force_new=True, computed=True),
    "logOpts": Attribute("map", force_new=True),
    # How it is kept.
    "restart": Attribute("string", default="no", pattern="no|on-failure|always|unless-stopped"),
    "maxRetryCount": Attribute("integer"),
    "start": Attribute("boolean", default=True),
    "mustRun": Attribute("boolean", default=True),
    "wait": Attribute("boolean", default=False),
    "waitTimeout": Attribute("integer", default=60),
    "attach": Attribute("boolean", default=False),
    "logs": Attribute("boolean", default=False),
    "rm": Attribute("boolean", default=False),
    "removeVolumes": Attribute("boolean", default=True),
    "destroyGraceSeconds": Attribute("integer"),
    "containerReadRefreshTimeoutMilliseconds": Attribute("integer", default=15000),
}
