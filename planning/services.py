"""What keeps running: the Ollama server, LLaMA Board and the OpenAI-style API (T1, E1, E5)."""

from dataclasses import dataclass

from planning import paths
from planning.container import GIB, ContainerPlan, Mount, Port, plan_accelerator
from planning.images import ImagesPlan
from planning.training_arguments import Weights
from planning.training_run import TRAINING_MOUNTS, offline_environment
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings

OLLAMA_PORT = 11434
BOARD_PORT = 7860
API_PORT = 8000


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
    """Settings key of its port, for messages."""
    secret_environment: tuple[str, ...] = ()
    """Variables that the container gets and no plan holds."""

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
            tests=_page_opens(BOARD_PORT, "/"), interval=10, start_period=120, wait=300
        ),
    )


def plan_api(
    settings: Settings, images: ImagesPlan, stack: str, *, model: ModelSettings, weights: Weights
) -> ServicePlan:
    """`llamafactory-cli api` on a trained model: its base model, and its adapter where it has one.

    The adapter's path names its training: other weights mean another container.
    """
    api, offline = settings.api, model.base_model.hub is None
    accelerator = plan_accelerator(settings.host)
    arguments = {
        "model_name_or_path": weights.model,
        "model_revision": weights.revision,
        "adapter_name_or_path": weights.adapter,
        "template": model.template,
    }
    return ServicePlan(
        name=f"{stack}-api",
        key="api.port",
        container=ContainerPlan(
            image=images.llamafactory.role,
            command=(
                *("llamafactory-cli", "api"),
                *(f"--{key}={value}" for key, value in arguments.items() if value is not None),
            ),
            environment={
                **accelerator.environment,
                **(offline_environment() if offline else {}),
                "API_HOST": "0.0.0.0",  # noqa: S104 - inside the container
                "API_PORT": str(API_PORT),
                "API_MODEL_NAME": model.name,
            },
            mounts=TRAINING_MOUNTS,
            ports=(Port(internal=API_PORT, external=api.port, bind_address=api.bind_address),),
            shm_bytes=int(settings.host.shm_size_gb * GIB),
            accelerator=accelerator,
        ),
        # A large model takes minutes to load, and the first start may have to fetch it.
        healthcheck=Healthcheck(
            tests=_page_opens(API_PORT, "/docs"), interval=10, start_period=600, wait=3600
        ),
        secret_environment=("API_KEY",) if offline else ("API_KEY", "HF_TOKEN"),
    )


def _page_opens(port: int, page: str) -> tuple[str, ...]:
    """A test of a web server from inside its container; the images have Python, not all curl."""
    url = f"http://127.0.0.1:{port}{page}"
    return ("CMD", "python", "-c", f"import urllib.request as r; r.urlopen('{url}', timeout=3)")
