"""Services: containers that keep running."""

from dataclasses import dataclass

from plan.container import Container, Port


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """How the engine finds out that a service answers. Times in seconds."""

    tests: tuple[str, ...]
    interval: int
    start_period: int
    wait: int
    """How long `pulumi up` waits for the first answer."""


@dataclass(frozen=True, kw_only=True)
class ServicePlan:
    """A container that keeps running."""

    name: str
    title: str
    """What the operator reads while it starts."""
    container: Container
    healthcheck: Healthcheck
    settings: str
    """Section of the settings that it is configured in."""
    path: str = ""
    """What its base URL ends in."""
    built_on: str | None = None
    """Identity of the work that it serves: other work means another container."""
    makes_room: bool = False
    """Whether a training run stops it for its time, to have the GPUs to itself."""
    secret_environment: tuple[str, ...] = ()
    """Variables that the container gets and no plan holds."""
    log_port: int | None = None
    """Port of the engine's host that gets a copy of what the container prints, as syslog by UDP."""
    preloads: bool = False
    """Whether its command preloads a library once `paths.PRELOAD` is there (F5)."""

    @property
    def key(self) -> str:
        """Settings key of its port, for messages."""
        return f"{self.settings}.port"

    @property
    def port(self) -> Port:
        """Where the service answers."""
        return self.container.ports[0]
