"""The look at what a stack has on its host: a survey of its volumes, and the engine's word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from plan import paths
from plan.ollama_model import OllamaModelStep
from plan.step import ContainerStepPlan
from plan.survey import Survey, SurveyRequest
from report.state import StackState, StateError
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import MissingError
from runtime.survey import take_survey

TRAINING = ("base-model", "training-run", "merge")
"""Steps in the image that trains: the converter's may be the operator's own."""

KEPT_TEXTS = (
    *("*.yaml", "trainer_log.jsonl", paths.TRAINER_STATE, "all_results.json"),
    *(paths.MARKER, paths.FETCHED, paths.DATASET_INFO, paths.EVALUATION_RECORD),
)
"""Files of an artefact that say how it was made and what came out."""

IMAGE_TYPES = {
    "docker:index/image:Image": "imageName",
    "docker:index/remoteImage:RemoteImage": "name",
}


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """An image as the engine has it."""

    reference: str
    id: str
    """Digest of its configuration."""
    bytes: int
    repo_digest: str = ""
    """As a registry calls it; empty for what was built here."""


@dataclass(frozen=True, kw_only=True)
class HostSight:
    """What the look has seen."""

    survey: Survey
    engine: Mapping[str, Any] = field(default_factory=dict)
    """`docker info`."""
    images: tuple[ImageFacts, ...] = ()


def look_at_host(state: StackState) -> HostSight:
    """One look; it leaves nothing behind.

    Raises `StateError` for a stack that has not come up, `StepError` where its engine does not
    answer or a volume is gone.
    """
    engine = Engine(state.engine)
    request = SurveyRequest(
        roots=_roots(state),
        texts=tuple(str(plan.manifest) for plan in state.plans(OllamaModelStep)),
        kept_texts=KEPT_TEXTS,
    )
    survey = take_survey(
        engine, state.owner, request, image=image_with_python(state), mounts=state.mounts
    )
    with engine.calls() as api:
        info = api.info()
    found = in_parallel([partial(_image, engine, name) for name in image_references(state)])
    return HostSight(
        survey=survey, engine=info, images=tuple(image for image in found if image is not None)
    )


def digest_host(state: StackState, wanted: Sequence[str]) -> Survey:
    """The digests of files, and of all in folders. Reads every byte; raises as `look_at_host`."""
    request = SurveyRequest(digests=tuple(wanted))
    image = image_with_python(state)
    return take_survey(Engine(state.engine), state.owner, request, image=image, mounts=state.mounts)


def image_with_python(state: StackState) -> str:
    """The image that trains. Raises `StateError` for a stack that has no step in a container."""
    plans = state.plans(ContainerStepPlan)
    image = next((plan.container.image for plan in plans if plan.noun in TRAINING), None)
    if image is None:
        raise StateError(
            f"the stack {state.stack} has no model in its state: it has not come up yet. "
            f"Run make up STACK={state.stack}"
        )
    return image


def image_references(state: StackState) -> list[str]:
    """Every image of the stack, its bases too."""
    return [
        str(resource.inputs[IMAGE_TYPES[resource.type]])
        for resource in state.resources
        if resource.type in IMAGE_TYPES and IMAGE_TYPES[resource.type] in resource.inputs
    ]


def _roots(state: StackState) -> tuple[str, ...]:
    volumes = {plan.volume for plan in state.plans(ContainerStepPlan)}
    return (
        *(f"{volume}/{paths.RUNS.name}" for volume in sorted(volumes)),
        str(paths.SERVED_MARKERS),
        str(paths.EVALUATIONS / state.owner.stack),
    )


def _image(engine: Engine, reference: str) -> ImageFacts | None:
    try:
        with engine.calls() as api:
            found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
    except MissingError:
        return None
    digests = found.get("RepoDigests") or [""]
    return ImageFacts(
        reference=reference,
        id=str(found["Id"]),
        bytes=int(found.get("Size", 0)),
        repo_digest=str(digests[0]).rpartition("@")[2],
    )
