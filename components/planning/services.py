"""What keeps running: the Ollama server and LLaMA Board (T1, E1, E5)."""

from dataclasses import dataclass

from components.planning import paths
from components.planning.container import GIB, ContainerPlan, Mount, Port, plan_accelerator
from components.planning.images import ImagesPlan
from components.planning.training_run import TRAINING_MOUNTS
from stack_configs.settings import Settings

OLLAMA_PORT = 11434
BOARD_PORT = 7860


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """How the engine finds out that a service answers. Times in seconds."""

    tests: tuple[str, ...]
    interval: int
    start_period: int
    wait: int
    """How long `pulumi up` waits for the first healthy answer."""


@dataclass(frozen=True, kw_only=True)
class ServicePlan:
    """A container that keeps running."""

    name: str
    container: ContainerPlan
    healthcheck: Healthcheck
    key: str
    """Settings section, for messages about its port."""

    @property
    def port(self) -> Port:
        """The one port of the service."""
        return self.container.ports[0]


def plan_ollama_server(settings: Settings, images: ImagesPlan, stack: str) -> ServicePlan:
    """The Ollama server. It reads GGUF files where they lie, so that no byte is sent twice."""
    server = settings.ollama_server
    accelerator = plan_accelerator(settings.host)
    return ServicePlan(
        name=f"{stack}-ollama-server",
        key="ollama_server.port",
        container=ContainerPlan(
            image=images.ollama.role,
            environment={
                **accelerator.environment,
                "OLLAMA_HOST": f"0.0.0.0:{OLLAMA_PORT}",
                **server.environment,
            },
            mounts=(
                Mount(volume="ollama", target=str(paths.OLLAMA_STORE)),
                Mount(volume="output", target=str(paths.OUTPUT), read_only=True),
            ),
            ports=(
                Port(internal=OLLAMA_PORT, external=server.port, bind_address=server.bind_address),
            ),
            accelerator=accelerator,
        ),
        healthcheck=Healthcheck(
            tests=("CMD", "ollama", "list"), interval=5, start_period=30, wait=120
        ),
    )


def plan_board(settings: Settings, images: ImagesPlan, stack: str) -> ServicePlan | None:
    """LLaMA Board, or None where the settings turn it off."""
    board = settings.board
    if not board.enabled:
        return None
    accelerator = plan_accelerator(settings.host)
    probe = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{BOARD_PORT}/', timeout=3)"
    return ServicePlan(
        name=f"{stack}-board",
        key="board.port",
        container=ContainerPlan(
            image=images.llamafactory.role,
            command=("llamafactory-cli", "webui"),
            environment={
                **accelerator.environment,
                "GRADIO_SERVER_NAME": "0.0.0.0",  # noqa: S104 - inside the container
                "GRADIO_SERVER_PORT": str(BOARD_PORT),
                "GRADIO_SHARE": "1" if board.share else "0",
                "GRADIO_ANALYTICS_ENABLED": "False",
            },
            mounts=TRAINING_MOUNTS,
            ports=(
                Port(internal=BOARD_PORT, external=board.port, bind_address=board.bind_address),
            ),
            shm_bytes=int(settings.host.shm_size_gb * GIB),
            accelerator=accelerator,
        ),
        healthcheck=Healthcheck(
            tests=("CMD", "python", "-c", probe), interval=10, start_period=120, wait=300
        ),
    )
