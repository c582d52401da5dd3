"""The look at what a stack has on its host: a survey of its volumes, and the engine's word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from plan import paths
from plan.labels import CONTENTS
from plan.ollama_model import OllamaModelStep
from plan.step import ContainerStepPlan
from plan.survey import Survey, SurveyRequest
from report.state import StackState, StateError
from runtime.docker.containers import moment
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.images import inspect_image
from runtime.survey import take_survey

TRAINING = ("base-model", "training-run", "merge")
"""Steps in the image that trains: the converter's may be the operator's own."""

KEPT_TEXTS = (
    *("*.yaml", "trainer_log.jsonl", paths.TRAINER_STATE, "all_results.json"),
    *(paths.MARKER, paths.FETCHED, paths.DATASET_INFO, paths.EVALUATION_RECORD),
)
"""Files of an artefact that say how it was made and what came out."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""When an image was made that does not say when."""

IMAGES = "images"
"""The last word of the component that has them, with which their names begin."""

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
    name: str = ""
    """What the stack calls it by: `llamafactory`, `converter`, `ollama`, `ollama-base`."""
    created: datetime = EPOCH
    contents: tuple[str, ...] = ()
    """Package URLs that its label names: see `plan.labels.CONTENTS`."""


@dataclass(frozen=True, kw_only=True)
class HostSight:
    """What the look has seen."""

    survey: Survey
    engine: Mapping[str, Any] = field(default_factory=dict)
    """`docker info`."""
    images: tuple[ImageFacts, ...] = ()
    missing_images: tuple[str, ...] = ()
    """References of those that the engine has no more."""


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
    named = dict(images_of(state))
    found = in_parallel([partial(_image, engine, *each) for each in named.items()])
    return HostSight(
        survey=survey,
        engine=info,
        images=tuple(image for image in found if image is not None),
        missing_images=tuple(
            reference
            for reference, image in zip(named.values(), found, strict=True)
            if image is None
        ),
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


def images_of(state: StackState) -> Sequence[tuple[str, str]]:
    """Every image of the stack, its bases too: what the stack calls it, and its reference.

    One that is to be deleted stands in the state beside the one in its place, by the same name.
    """
    return [
        (
            resource.name.rpartition(f"{IMAGES}-")[2],
            str(resource.inputs[IMAGE_TYPES[resource.type]]),
        )
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


def _image(engine: Engine, name: str, reference: str) -> ImageFacts | None:
    found = inspect_image(engine, reference)
    if found is None:
        return None
    digests = found.get("RepoDigests") or [""]
    given = (found.get("Config") or {}).get("Labels") or {}
    return ImageFacts(
        reference=reference,
        id=str(found["Id"]),
        bytes=int(found.get("Size", 0)),
        repo_digest=str(digests[0]).rpartition("@")[2],
        name=name,
        created=moment(found["Created"]) if found.get("Created") else EPOCH,
        contents=tuple(given.get(CONTENTS, "").split()),
    )
