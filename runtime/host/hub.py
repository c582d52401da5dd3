"""What the model hubs say of the models that training starts from, before anything is fetched."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from plan.container import Mount
from plan.host import HostQuestions, HubModel, HubModelFacts, HubName
from plan.paths import FETCHED, HF_CACHE, RUNS
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.host.hub_answer import Answer
from runtime.host.hugging_face import ask_hugging_face
from runtime.host.model_scope import ask_model_scope
from runtime.host.place import Place, is_there, look_into
from runtime.host.snapshot import GB, Snapshot


@dataclass(frozen=True, kw_only=True)
class HubFindings:
    """What is known of all models, by `HubModel.key`."""

    commits: Mapping[str, str]
    models: Mapping[str, HubModelFacts]


def ask_hubs(
    engine: Engine,
    snapshot: Snapshot,
    questions: HostQuestions,
    tokens: Mapping[HubName, str | None],
) -> HubFindings:
    """The commit that each model's revision points to now, and what else the hub says.

    Where the hub does not answer, the commit is the one that was fetched last: a hub that is out of
    reach must not train a model again.
    """
    models = questions.hub_models
    asked = [partial(_ask, questions, tokens, model) for model in models]
    told = dict(zip(models, in_parallel(asked), strict=True))
    cache = Mount(source=questions.hub_cache or "", target=str(HF_CACHE), read_only=True)
    is_silent = any(answer.commit is None for answer in told.values())
    if (
        (is_silent or _lacks_room(snapshot, told))
        and questions.hub_cache
        and is_there(snapshot, cache)
    ):
        with look_into(engine, questions.owner, {cache}) as place:
            if place is not None:
                told = _compared(engine, place, told)
    return HubFindings(
        commits={model.key: answer.commit for model, answer in told.items() if answer.commit},
        models={model.key: answer.facts for model, answer in told.items() if answer.facts},
    )


def _lacks_room(snapshot: Snapshot, told: Mapping[HubModel, Answer]) -> bool:
    """Whether it matters how much is there already."""
    needed = sum(each.facts.size_gb or 0 for each in told.values() if each.facts)
    return snapshot.disk_free is not None and needed * GB > snapshot.disk_free


def _ask(questions: HostQuestions, tokens: Mapping[HubName, str | None], model: HubModel) -> Answer:
    ask = ask_model_scope if model.hub == "modelscope" else ask_hugging_face
    return ask(
        model,
        address=questions.hubs.get(model.hub),
        proxy=questions.hub_proxy,
        token=tokens.get(model.hub),
    )


def _compared(
    engine: Engine, place: Place, told: Mapping[HubModel, Answer]
) -> dict[HubModel, Answer]:
    """The answers with what the cache says: where the hub was silent, and what is there already."""
    records = _records(engine, place)
    return {
        model: replace(
            answer,
            commit=answer.commit or _last_fetched(engine, place, model, records),
            facts=answer.facts and replace(answer.facts, is_begun=_is_begun(engine, place, model)),
        )
        for model, answer in told.items()
    }


def _records(engine: Engine, place: Place) -> list[Mapping[str, Any]]:
    """What every fetch has left, the newest last."""
    files = archive.read_files(engine, place.container, str(HF_CACHE / RUNS.name)) or {}
    # One that is cut off, or that a step at work is still to complete, is in a partial folder.
    texts = [
        content
        for name, content in files.items()
        if (path := PurePosixPath(name)).name == FETCHED and not path.parent.suffix
    ]
    return sorted((json.loads(text) for text in texts), key=lambda record: record["fetched_at"])


def _last_fetched(
    engine: Engine, place: Place, model: HubModel, records: Sequence[Mapping[str, Any]]
) -> str | None:
    """What was asked for when the model was fetched last, else the newest commit in the cache.

    That is the revision itself where the hub has never told its commit: a step's identity is made
    of what was asked for.
    """
    asked_for = (model.hub, model.id)
    of_the_model = [
        # Earlier versions knew one hub, and did not write its name.
        record
        for record in records
        if (record.get("hub", "huggingface"), record["repo"]) == asked_for
    ]
    of_the_revision = [each for each in of_the_model if each["revision"] == model.revision]
    if fetched := of_the_revision or of_the_model:
        return str(fetched[-1]["asked"])
    times = archive.folder_times(engine, place.container, str(model.folder / "snapshots"))
    return max(times, key=lambda commit: times[commit], default=None)


def _is_begun(engine: Engine, place: Place, model: HubModel) -> bool:
    return archive.stat_of(engine, place.container, str(model.folder)) is not None
