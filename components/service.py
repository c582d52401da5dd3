"""Containers that keep running, as `pulumi_docker` resources: a refresh sees their drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.naming import LABEL, owner_labels
from planning.container import MIB
from planning.services import ServicePlan
from components.volumes import MountSource

STOP_SECONDS = 10
"""As `docker stop`: unset, the provider kills at once."""


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """What a long-running container needs beside its plan."""

    plan: ServicePlan
    stack: str
    image: pulumi.Input[str]
    volumes: Mapping[str, MountSource]
    network: pulumi.Input[str]
    secrets: Mapping[str, pulumi.Input[str]] | None = None
    """Secret environment variables by name; those that the plan asks for are handed over."""
    built_on: pulumi.Input[str] | None = None
    """Fingerprint of the work that it serves: other work means another container."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, though the container does not change with it."""


def service_container(
    name: str,
    args: ServiceArgs,
    *,
    parent: pulumi.Resource,
) -> docker.Container:
    """The container of a service, healthy before anything is built on it."""
    plan, volumes = args.plan, args.volumes
    container, accelerator = plan.container, plan.container.accelerator
    labels: dict[str, pulumi.Input[str]] = {**owner_labels(args.stack)}
    if args.built_on is not None:
        labels[f"{LABEL}.built-on"] = args.built_on
    return docker.Container(
        name,
        name=plan.name,
        image=args.image,
        command=list(container.command) or None,
        envs=[
            *(f"{key}={value}" for key, value in sorted(container.environment.items())),
            *(
                pulumi.Output.concat(key, "=", value)
                for key, value in sorted((args.secrets or {}).items())
                if key in plan.secret_environment
            ),
        ],
        mounts=[
            *(
                docker.ContainerMountArgs(
                    type=volumes[mount.volume].type,
                    source=volumes[mount.volume].source,
                    target=mount.target,
                    read_only=mount.read_only,
                )
                for mount in container.mounts
            ),
            *(
                docker.ContainerMountArgs(type="bind", source=path, target=path, read_only=True)
                for path in accelerator.host_mounts
            ),
        ],
        ports=[
            docker.ContainerPortArgs(
                internal=port.internal, external=port.external, ip=port.bind_address
            )
            for port in container.ports
        ],
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network)],
        shm_size=container.shm_bytes // MIB,
        gpus=accelerator.gpus,
        devices=[
            docker.ContainerDeviceArgs(host_path=device, container_path=device, permissions="rwm")
            for device in accelerator.devices
        ]
        or None,
        group_adds=list(accelerator.groups) or None,
        security_opts=list(accelerator.security_opts) or None,
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=list(plan.healthcheck.tests),
            interval=go_duration(plan.healthcheck.interval),
            timeout="10s",
            start_period=go_duration(plan.healthcheck.start_period),
            retries=3,
        ),
        wait=True,
        wait_timeout=plan.healthcheck.wait,
        restart="unless-stopped",
        destroy_grace_seconds=STOP_SECONDS,
        labels=[
            docker.ContainerLabelArgs(label=label, value=value) for label, value in labels.items()
        ],
        # The name and the port are fixed: two of it cannot be there at once.
        # A component's own `depends_on` does not reach its children.
        opts=pulumi.ResourceOptions(
            parent=parent, delete_before_replace=True, depends_on=list(args.after)
        ),
    )


def go_duration(seconds: int) -> str:
    """Seconds as the engine writes them back: `120s` read as `2m0s` would differ on every up."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def service_url(plan: ServicePlan, container_name: pulumi.Output[str]) -> pulumi.Output[str]:
    """The URL of a service as seen from the host, known once its container is there."""
    address = plan.port.bind_address
    host = f"[{address}]" if ":" in address else address
    return container_name.apply(lambda _: f"http://{host}:{plan.port.external}")
