"""What `stage.py` is told about the stage that it converges."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from runtime.docker.containers import Accelerator, ContainerSpec, Mount, Step
from runtime.failure import StepError
from runtime.program import Spec, part

DEADLINE_SETTINGS = {"training-run": "training_runs[].deadline_hours"}


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """One stage: its container, and what it makes where."""

    step: Step
    noun: str
    title: str
    token: str
    container: ContainerSpec
    artefact: str
    partial: str
    marker: str
    files: Mapping[str, str]
    """Rendered configuration, by its path below the partial folder."""
    uploads: Mapping[str, str]
    """Files of this machine, as seen from the project, by their path below the partial folder."""
    progress_log: str | None
    results: str | None
    secret_environment: tuple[str, ...]
    preload: str | None
    deadline_seconds: float

    @property
    def short_title(self) -> str:
        """The title without its details, to begin every line of progress with."""
        return self.title.partition(":")[0]

    @property
    def what(self) -> str:
        """As an error names it."""
        return f"{self.noun.replace('-', ' ')} {self.step.name}"

    @property
    def deadline_setting(self) -> str | None:
        """The settings key of the deadline, where there is one."""
        return DEADLINE_SETTINGS.get(self.noun)

    @property
    def root(self) -> str:
        """Where the volume that takes the artefact is mounted."""
        for mount in self.container.mounts:
            if PurePosixPath(self.artefact).is_relative_to(mount.target):
                return mount.target
        raise StepError(
            f"{self.what} leaves its work at {self.artefact}, but no mount of its container holds "
            "that path. Mount the output volume there"
        )


def read_stage_spec(spec: Spec) -> StageSpec:
    """The stage that a spec from stdin describes."""
    return StageSpec(
        step=read_step(spec),
        noun=part(spec, "noun"),
        title=part(spec, "title"),
        token=part(spec, "token"),
        container=_read_container(part(spec, "container")),
        artefact=part(spec, "artefact"),
        partial=part(spec, "partial"),
        marker=part(spec, "marker"),
        files=spec.get("files") or {},
        uploads=spec.get("uploads") or {},
        progress_log=spec.get("progress_log"),
        results=spec.get("results"),
        secret_environment=tuple(spec.get("secret_environment") or ()),
        preload=spec.get("preload"),
        deadline_seconds=float(part(spec, "deadline_seconds")),
    )


def read_step(spec: Spec) -> Step:
    """Who the containers of a step belong to."""
    return Step(
        stack=part(spec, "stack"),
        name=part(spec, "name"),
        fingerprint=part(spec, "fingerprint"),
    )


def read_mount(mount: Mapping[str, Any]) -> Mount:
    """A mount of a container."""
    return Mount(
        type=part(mount, "type"),
        source=part(mount, "source"),
        target=part(mount, "target"),
        read_only=bool(mount.get("read_only", False)),
    )


def _read_container(container: Mapping[str, Any]) -> ContainerSpec:
    accelerator = container.get("accelerator") or {}
    return ContainerSpec(
        image=part(container, "image"),
        command=tuple(container.get("command") or ()),
        environment=container.get("environment") or {},
        mounts=tuple(read_mount(mount) for mount in container.get("mounts") or ()),
        network=container.get("network"),
        shm_bytes=container.get("shm_bytes"),
        accelerator=Accelerator(
            gpus=accelerator.get("gpus"),
            devices=tuple(accelerator.get("devices") or ()),
            groups=tuple(accelerator.get("groups") or ()),
            host_mounts=tuple(accelerator.get("host_mounts") or ()),
            security_opts=tuple(accelerator.get("security_opts") or ()),
        ),
    )
