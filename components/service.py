"""Containers that keep running, as `pulumi_docker` resources: a refresh sees their drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.ownership import owner_labels
from components.step import Deployment, step_command
from plan import labels
from plan.container import HOST_IPC, MIB, NO_CAPABILITIES, Limits
from plan.service import ServicePlan
from plan.step import ServiceStartStep

STOP_SECONDS = 10
"""As `docker stop`: unset, the provider kills at once."""


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """What a service needs beside its plan."""

    plan: ServicePlan
    token: str
    """From the look at the host: changes when the container does not run, which makes it again."""
    deployment: Deployment
    after: Sequence[pulumi.Resource]
    """Image, volumes, network, and what must be there before, though nothing of it is used."""


class Service(pulumi.ComponentResource):
    """A container that keeps running and answers on its port.

    The graph shows it under a type of its own: OllamaServer, Board, Api, TensorBoard, Metrics,
    ReverseProxy. Does not create models: see OllamaModel. What is trained by hand in the Board is
    kept in the output volume, and is not part of the stack.
    """

    url: pulumi.Output[str]
    """Base URL as seen from the host, known once the service answers."""
    fronted_urls: pulumi.Output[Mapping[str, str]]
    """Of a reverse proxy: likewise, by section, of the services behind it."""

    def __init__(
        self,
        type_token: str,
        name: str,
        args: ServiceArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(type_token, name, None, opts)
        plan = args.plan
        container = _container(f"{name}-container", args, parent=self)
        start = step_command(
            f"{name}-command",
            "service-start",
            ServiceStartStep(
                name=plan.name,
                title=plan.title,
                probe=plan.healthcheck.tests[1:],
                deadline_seconds=plan.healthcheck.wait,
                settings=plan.settings,
                secret_environment=plan.secret_environment,
                preloads=plan.preloads,
            ),
            args.deployment,
            parent=self,
            token=container.id,
        )
        self.url = start.stdout.apply(lambda _: plan.url)
        self.fronted_urls = start.stdout.apply(lambda _: plan.fronted_urls)
        self.register_outputs({"url": self.url})


def _container(name: str, args: ServiceArgs, *, parent: pulumi.Resource) -> docker.Container:
    plan, secrets = args.plan, args.deployment.secrets
    container, accelerator = plan.container, plan.container.accelerator
    own = {labels.TOKEN: args.token}
    if plan.built_on is not None:
        own[labels.BUILT_ON] = plan.built_on
    if plan.makes_room:
        own[labels.MAKES_ROOM] = "true"
    return docker.Container(
        name,
        name=plan.name,
        image=container.image,
        command=list(container.command) or None,
        envs=[
            *(f"{key}={value}" for key, value in sorted(container.environment.items())),
            *(
                pulumi.Output.concat(key, "=", value)
                for key, value in sorted(secrets.items())
                if key in plan.secret_environment
            ),
        ],
        mounts=[
            docker.ContainerMountArgs(
                type=mount.type,
                source=mount.source,
                target=mount.target,
                read_only=mount.read_only,
            )
            for mount in (*container.mounts, *accelerator.mounts)
        ],
        ports=[
            docker.ContainerPortArgs(
                internal=port.internal,
                external=port.external,
                ip=port.bind_address,
                protocol=None if port.protocol == "tcp" else port.protocol,
            )
            for port in container.ports
        ],
        # `docker logs` goes on telling it: the engine keeps a copy of its own.
        log_driver="syslog" if plan.log_port else None,
        log_opts={"syslog-address": f"udp://127.0.0.1:{plan.log_port}"} if plan.log_port else None,
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=container.network)],
        shm_size=None if container.host_ipc else container.shm_bytes // MIB,
        ipc_mode=HOST_IPC if container.host_ipc else None,
        gpus=accelerator.gpus,
        devices=[
            docker.ContainerDeviceArgs(host_path=device, container_path=device, permissions="rwm")
            for device in accelerator.devices
        ]
        or None,
        group_adds=list(accelerator.groups) or None,
        capabilities=docker.ContainerCapabilitiesArgs(
            adds=list(container.capabilities) or None, drops=list(NO_CAPABILITIES)
        ),
        security_opts=list(container.security_opts),
        read_only=container.read_only_root or None,
        tmpfs=dict(container.tmpfs) or None,
        memory=(memory := _memory_mib(container.limits)),
        # Unset, the engine allows as much swap again, which the provider takes for a change.
        memory_swap=memory,
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=list(plan.healthcheck.tests),
            interval=go_duration(plan.healthcheck.interval),
            timeout="10s",
            start_period=go_duration(plan.healthcheck.start_period),
            retries=3,
        ),
        restart="unless-stopped",
        destroy_grace_seconds=STOP_SECONDS,
        labels=owner_labels(args.deployment).apply(
            lambda owner: [
                docker.ContainerLabelArgs(label=label, value=value)
                for label, value in {**owner, **own}.items()
            ]
        ),
        opts=pulumi.ResourceOptions(
            parent=parent,
            # The name and the port are fixed: two of it cannot be there at once.
            delete_before_replace=True,
            # Updates that the provider does not make, or not back to none.
            replace_on_changes=["mounts", "tmpfs", "memory", "memorySwap"],
            # A component's own `depends_on` does not reach its children.
            depends_on=list(args.after),
        ),
    )


def _memory_mib(limits: Limits) -> int | None:
    return None if limits.memory_bytes is None else limits.memory_bytes // MIB


def go_duration(seconds: int) -> str:
    """Seconds as the engine writes them back: `120s` read as `2m0s` would differ on every up."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
