"""Trackers: what tells a run where its figures go, and with which key (T9)."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from plan import paths, secret
from plan.problem import Problem
from stack_configs.settings.root import Settings
from stack_configs.settings.trackers import Tracker, TrackersSettings
from stack_configs.settings.training_runs import TrainingRunSettings

KEYS: Mapping[Tracker, str] = {
    "wandb": secret.WANDB_KEY,
    "swanlab": secret.SWANLAB_KEY,
    "mlflow": secret.MLFLOW_TOKEN,
}
"""Variables of the trackers that ask who comes."""

KEPT_IN_FILES: tuple[Tracker, ...] = ("wandb", "swanlab")
"""Trackers that can do without their server; their files can be sent there later."""


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """What the container of one run is given for its trackers."""

    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: tuple[str, ...] = ()
    needs_network: bool = False


def plan_tracking(
    settings: TrackersSettings, run: TrainingRunSettings, *, model: str, mark: str
) -> Tracking:
    """What a run reports to. Event files have a folder for each training of `mark`."""
    used = run.report_to
    told = [tracker for tracker in used if _is_told(tracker, settings)]
    project = settings.project or model
    folder = paths.TENSORBOARD / model / f"{run.name}-{mark}"
    by_tracker: dict[Tracker, dict[str, str | None]] = {
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": str(folder)},
        "wandb": {
            "WANDB_DIR": str(paths.TRACKERS),
            "WANDB_PROJECT": project,
            "WANDB_BASE_URL": settings.wandb_url,
            "WANDB_MODE": "offline" if settings.offline else None,
        },
        "swanlab": {
            "SWANLAB_LOG_DIR": str(paths.TRACKERS / "swanlab"),
            "SWANLAB_PROJECT": project,
            "SWANLAB_API_HOST": settings.swanlab_url,
            "SWANLAB_MODE": "offline" if settings.offline else None,
        },
        "mlflow": {
            "MLFLOW_TRACKING_URI": settings.mlflow_url,
            "MLFLOW_EXPERIMENT_NAME": project,
        },
    }
    return Tracking(
        environment={
            name: value
            for tracker in used
            for name, value in by_tracker[tracker].items()
            if value is not None
        },
        secret_environment=tuple(KEYS[tracker] for tracker in told),
        needs_network=bool(told),
    )


def missing_keys(settings: Settings, configured: Set[str]) -> Iterator[Problem]:
    """Runs that report to a server which lets nobody in without a key.

    `configured` are the names of the stack's secrets that are set.
    """
    for model_index, model in enumerate(settings.models):
        for run_index, run in enumerate(model.training_runs):
            for tracker in run.report_to:
                key = f"{tracker}_api_key"
                if tracker not in KEPT_IN_FILES or settings.trackers.offline or key in configured:
                    continue
                yield Problem(
                    f"models[{model_index}].training_runs[{run_index}].report_to",
                    repr(tracker),
                    "its server wants a key, and the stack has none",
                    f"Run `pulumi config set --secret {key}`, or set trackers.offline to true",
                )


def _is_told(tracker: Tracker, settings: TrackersSettings) -> bool:
    """Whether a server is told; otherwise files in the output volume are all there is."""
    return tracker == "mlflow" or (tracker in KEPT_IN_FILES and not settings.offline)
