"""The look at everything that takes room: volumes, containers, images, build cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plan import paths
from plan.ollama_model import OllamaModelResult, OllamaModelStep
from plan.paths import ollama_manifest
from plan.survey import Survey, SurveyRequest
from report.look import image_with_python
from report.state import StackState, said_of
from runtime.docker.containers import Summary, list_containers
from runtime.docker.engine import Engine
from runtime.survey import take_survey

ROOTS = (
    *(paths.RUNS, paths.OUTPUT, paths.HF_CACHE / paths.RUNS.name),
    *(paths.HUB_CACHE, paths.MODELSCOPE_CACHE, paths.HF_CACHE),
    *(paths.DATA_FILES, paths.MEDIA, paths.REGISTRATIONS, paths.DATA),
    paths.OLLAMA_STORE / "models",
)
PATIENCE_SECONDS = 600
"""For an engine that adds up the sizes of its layers."""


@dataclass(frozen=True, kw_only=True)
class HostSight:
    """What the look has seen."""

    survey: Survey
    containers: Sequence[Summary] = ()
    """Of everybody."""
    images: Sequence[Mapping[str, Any]] = ()
    """As the engine lists them, with what each shares with others."""
    build_cache_bytes: int = 0


def look_at_host(engine: Engine, state: StackState) -> HostSight:
    """One look at the host of a stack; it leaves nothing behind.

    Raises `StateError` for a stack that has not come up, `StepError` where its engine does not
    answer or a volume or the image that trains is gone.
    """
    request = SurveyRequest(
        roots=tuple(map(str, ROOTS)),
        texts=tuple(manifests(state)),
        kept_texts=(paths.MARKER, paths.FETCHED),
    )
    image = image_with_python(state)
    survey = take_survey(engine, state.owner, request, image=image, mounts=state.mounts)
    used = disk_use(engine, "image", "build-cache")
    return HostSight(
        survey=survey,
        containers=list_containers(engine),
        images=used.get("Images") or (),
        # Bytes that an image has too go with the image.
        build_cache_bytes=sum(
            int(each.get("Size", 0))
            for each in used.get("BuildCache") or ()
            if not each.get("Shared")
        ),
    )


def manifests(state: StackState) -> Mapping[str, str]:
    """The manifests of the models that a stack serves or keeps, each with the model's name."""
    found = {}
    for step in state.steps:
        if not isinstance(step.plan, OllamaModelStep):
            continue
        found[str(step.plan.manifest)] = step.plan.served_name
        said = said_of(step, OllamaModelResult)
        for kept in said.kept if said else ():
            found[str(ollama_manifest(kept["model"]))] = kept["model"]
    return found


def disk_use(engine: Engine, *kinds: str) -> Mapping[str, Any]:
    """Sizes of things of these kinds, as `docker system df` tells them.

    An engine that knows no kinds (before API 1.42) tells of all.
    """
    with engine.calls(patience=PATIENCE_SECONDS) as api:
        # The SDK's call adds up every file of every volume too.
        response = api.get(
            f"{api.base_url}/v{api.api_version}/system/df",
            params={"type": kinds},
            timeout=api.timeout,
        )
        response.raise_for_status()
        found: Mapping[str, Any] = response.json()
    return found
