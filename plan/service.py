"""Services: containers that keep running."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    fronts: Mapping[str, str] = field(default_factory=dict)
    """Of a reverse proxy: `path` of the service behind each of its ports, by that one's section."""
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
    def port(self) -> Port:
        """Where the service answers."""
        return self.container.ports[0]

    @property
    def url(self) -> str:
        """Its base URL as seen from the host."""
        return f"http://{_authority(self.port)}{self.path}"

    @property
    def fronted_urls(self) -> Mapping[str, str]:
        """Of a reverse proxy: base URLs of the services behind it, by section."""
        ports = zip(self.fronts.items(), self.container.ports, strict=True) if self.fronts else ()
        return {section: f"https://{_authority(port)}{path}" for (section, path), port in ports}


def _authority(port: Port) -> str:
    address = port.bind_address
    return f"{f'[{address}]' if ':' in address else address}:{port.external}"
