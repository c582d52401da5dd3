"""What keeps running: Ollama, LLaMA Board, the OpenAI-style API, TensorBoard (T1, T9, E1, E5)."""

from plan import paths
from plan.container import GIB, Accelerator, Container, Port
from plan.preload import preloading
from plan.secret import API_KEY
from plan.service import Healthcheck, ServicePlan
from planning.accelerator import plan_accelerator
from planning.hub_model import hub_environment
from planning.images import ollama_reaches_accelerators
from planning.step import BUNDLED_LIBGOMP, Surroundings, offline_environment
from planning.weights import Weights
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings

OLLAMA_PORT = 11434
BOARD_PORT = 7860
API_PORT = 8000
TENSORBOARD_PORT = 6006


def plan_ollama_server(settings: Settings, around: Surroundings) -> ServicePlan:
    """The Ollama server. It reads GGUF files where they lie, so that no byte is sent twice."""
    server = settings.ollama_server
    # Devices that it cannot use stay out of its container.
    reaches = ollama_reaches_accelerators(settings)
    accelerator = plan_accelerator(settings.host) if reaches else Accelerator()
    return ServicePlan(
        name=around.names.ollama_server,
        title="start the Ollama server",
        settings="ollama_server",
        log_port=settings.metrics.port if settings.metrics.enabled else None,
        container=Container(
            image=around.images.ollama.reference,
            environment={
                **accelerator.environment,
                "OLLAMA_HOST": f"0.0.0.0:{OLLAMA_PORT}",
                # From 0.30 on, the template in the GGUF would win over the Modelfile's.
                "OLLAMA_GO_TEMPLATE": "1",
                **server.environment,
            },
            mounts=(around.volumes.ollama.mount(), around.volumes.output.mount(read_only=True)),
            network=around.names.network,
            ports=(
                Port(internal=OLLAMA_PORT, external=server.port, bind_address=server.bind_address),
            ),
            accelerator=accelerator,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        healthcheck=Healthcheck(
            tests=("CMD", "ollama", "list"), interval=5, start_period=30, wait=120
        ),
    )


def plan_board(settings: Settings, around: Surroundings) -> ServicePlan | None:
    """LLaMA Board, or None where the settings turn it off."""
    board = settings.board
    if not board.enabled:
        return None
    accelerator = plan_accelerator(settings.host)
    return ServicePlan(
        name=around.names.board,
        title="start LLaMA Board",
        settings="board",
        preloads=True,
        container=Container(
            image=around.images.llamafactory.reference,
            # Whatever it writes, it writes where it was started; its data sets are in `data` there.
            command=preloading(
                (
                    *("sh", "-ec"),
                    f"mkdir -p {paths.BOARD}; cd {paths.BOARD}; ln -sfn {paths.DATA} data; "
                    "exec llamafactory-cli webui",
                ),
                BUNDLED_LIBGOMP,
                where=str(paths.PRELOAD),
            ),
            environment={
                **accelerator.environment,
                **hub_environment(settings.images.mirrors),
                "GRADIO_SERVER_NAME": "0.0.0.0",  # noqa: S104 - inside the container
                "GRADIO_SERVER_PORT": str(BOARD_PORT),
                "GRADIO_SHARE": "1" if board.share else "0",
                "GRADIO_ANALYTICS_ENABLED": "False",
            },
            mounts=around.volumes.training_mounts,
            network=around.names.network,
            ports=(
                Port(internal=BOARD_PORT, external=board.port, bind_address=board.bind_address),
            ),
            shm_bytes=int(settings.host.shm_size_gb * GIB),
            host_ipc=settings.host.ipc == "host",
            accelerator=accelerator,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        healthcheck=Healthcheck(
            tests=page_opens(BOARD_PORT, "/"), interval=10, start_period=120, wait=300
        ),
    )


def plan_api(
    settings: Settings,
    around: Surroundings,
    *,
    model: ModelSettings,
    weights: Weights,
    built_on: str,
) -> ServicePlan:
    """`llamafactory-cli api` on a trained model, loaded as its training loaded it.

    The path of adapter or model names its training: other weights mean another container.
    """
    api = settings.api
    accelerator = plan_accelerator(settings.host)
    arguments = {
        # Weights that no memory holds; the root of its container is read-only.
        "offload_folder": str(paths.HF_CACHE / "offload"),
        **weights.arguments,
        "template": model.template,
    }
    return ServicePlan(
        name=around.names.api,
        title=f"start the API of {model.name}",
        settings="api",
        path="/v1",
        built_on=built_on,
        preloads=True,
        makes_room=accelerator != Accelerator() and settings.host.gpu.while_training == "free",
        container=Container(
            image=around.images.llamafactory.reference,
            command=preloading(
                (
                    *("llamafactory-cli", "api"),
                    *(f"--{key}={value}" for key, value in arguments.items()),
                ),
                BUNDLED_LIBGOMP,
                where=str(paths.PRELOAD),
            ),
            environment={
                **accelerator.environment,
                **offline_environment(),
                "API_HOST": "0.0.0.0",  # noqa: S104 - inside the container
                "API_PORT": str(API_PORT),
                "API_MODEL_NAME": model.name,
            },
            mounts=around.volumes.training_mounts,
            network=around.names.network,
            ports=(Port(internal=API_PORT, external=api.port, bind_address=api.bind_address),),
            shm_bytes=int(settings.host.shm_size_gb * GIB),
            host_ipc=settings.host.ipc == "host",
            accelerator=accelerator,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        # A large model takes minutes to load.
        healthcheck=Healthcheck(
            tests=page_opens(API_PORT, "/docs"), interval=10, start_period=600, wait=3600
        ),
        secret_environment=(API_KEY,),
    )


def plan_tensorboard(settings: Settings, around: Surroundings) -> ServicePlan | None:
    """TensorBoard, or None where the settings leave it out. It reads the output volume alone."""
    tensorboard = settings.tensorboard
    if not tensorboard.enabled:
        return None
    return ServicePlan(
        name=around.names.tensorboard,
        title="start TensorBoard",
        settings="tensorboard",
        container=Container(
            image=around.images.llamafactory.reference,
            command=(
                *("tensorboard", f"--logdir={paths.TENSORBOARD}"),
                *("--host=0.0.0.0", f"--port={TENSORBOARD_PORT}"),
            ),
            mounts=(around.volumes.output.mount(read_only=True),),
            network=around.names.network,
            ports=(
                Port(
                    internal=TENSORBOARD_PORT,
                    external=tensorboard.port,
                    bind_address=tensorboard.bind_address,
                ),
            ),
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        healthcheck=Healthcheck(
            tests=page_opens(TENSORBOARD_PORT, "/"), interval=10, start_period=60, wait=120
        ),
    )


def page_opens(port: int, page: str) -> tuple[str, ...]:
    """A test of a web server from inside its container; the images have Python, not all curl."""
    url = f"http://127.0.0.1:{port}{page}"
    return ("CMD", "python", "-c", f"import urllib.request as r; r.urlopen('{url}', timeout=3)")
