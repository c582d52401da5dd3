"""The exporter: what tells Prometheus how the stack is (O7)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from plan.codec import encode
from plan.container import Accelerator, Container, Port
from plan.metrics import MeasuredStep, MetricsRequest
from plan.pipeline import ModelPlan
from plan.service import Healthcheck, ServicePlan
from plan.step import DatasetRegistrationStep
from planning.accelerator import plan_accelerator
from planning.services import OLLAMA_PORT, page_opens
from planning.step import Surroundings
from stack_configs.settings.root import Settings

METRICS_PORT = 9464


def plan_metrics(
    settings: Settings,
    around: Surroundings,
    *,
    registration: DatasetRegistrationStep,
    models: Sequence[ModelPlan],
) -> ServicePlan | None:
    """The exporter, or None where the settings leave it out.

    It reads the volumes and cannot write to them; what trains knows nothing of it.
    """
    metrics, image = settings.metrics, around.images.metrics
    if not metrics.enabled or image is None:
        return None
    has_gpus = settings.host.hardware == "cuda"
    request = MetricsRequest(
        port=METRICS_PORT,
        ollama=f"http://{around.names.ollama_server}:{OLLAMA_PORT}",
        gpus=has_gpus,
        volumes={volume.role: volume.target for volume in around.volumes},
    )
    steps = _measured(around, registration, models)
    return ServicePlan(
        name=around.names.metrics,
        title="start the metrics",
        settings="metrics",
        path="/metrics",
        container=Container(
            image=image.reference,
            command=(encode(request), *(encode(step) for step in steps)),
            environment={"NVIDIA_DRIVER_CAPABILITIES": "utility"} if has_gpus else {},
            mounts=tuple(volume.mount(read_only=True) for volume in around.volumes),
            network=around.names.network,
            ports=(
                Port(
                    internal=METRICS_PORT,
                    external=metrics.port,
                    bind_address=metrics.bind_address,
                ),
                # Ollama's access log, which the engine of this very host sends.
                Port(
                    internal=METRICS_PORT,
                    external=metrics.port,
                    bind_address="127.0.0.1",
                    protocol="udp",
                ),
            ),
            # nvidia-smi sees every GPU, whichever of them the stack computes on.
            accelerator=replace(plan_accelerator(settings.host), environment={})
            if has_gpus
            else Accelerator(),
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        # Seldom: each opens the page, and all that is on it is measured for that.
        healthcheck=Healthcheck(
            tests=page_opens(METRICS_PORT, "/metrics"), interval=60, start_period=30, wait=120
        ),
    )


def _measured(
    around: Surroundings, registration: DatasetRegistrationStep, models: Sequence[ModelPlan]
) -> Iterator[MeasuredStep]:
    def name(step: str) -> str:
        return step.removeprefix(f"{around.owner.stack}-")

    yield MeasuredStep(
        name=name(registration.name), noun="dataset-registration", marker=registration.marker
    )
    # Models that start from the same one share the step that fetches it.
    steps = {step.name: step for model in models for step in model.steps}
    for step in steps.values():
        yield MeasuredStep(
            name=name(step.name),
            noun=step.noun,
            marker=str(step.marker),
            partial=str(step.partial),
            log=step.progress_log or "",
        )
    for model in models:
        served = model.ollama_model
        yield MeasuredStep(name=name(served.name), noun="ollama-model", marker=str(served.marker))
