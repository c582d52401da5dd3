"""What the model hub says of the models that training starts from, before anything is fetched."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

import requests

from plan.container import Mount
from plan.host import HostQuestions, HubModel, HubModelFacts
from plan.model_files import needed_files
from plan.model_shape import read_model_shape
from plan.paths import FETCHED, HF_CACHE, HUB_CACHE, RUNS
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.host.place import Place, is_there, look_into
from runtime.host.snapshot import GB, Snapshot

HUB = "https://huggingface.co"
HUB_SECONDS = 5.0
COMMIT_LENGTH = 40

REASON_HEADER = "X-Error-Code"
"""The hub's own word on a refusal. Without it the answer may be that of a proxy on the way."""
REASONS: Mapping[str, Literal["gated", "unknown", "no_revision"]] = {
    "GatedRepo": "gated",
    "RepoNotFound": "unknown",
    "RevisionNotFound": "no_revision",
}


@dataclass(frozen=True, kw_only=True)
class HubFindings:
    """What is known of all models, by `id@revision`."""

    commits: Mapping[str, str]
    models: Mapping[str, HubModelFacts]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What the hub said; nothing where it was silent."""

    commit: str | None = None
    facts: HubModelFacts | None = None


def ask_hub(
    engine: Engine, snapshot: Snapshot, questions: HostQuestions, token: str | None = None
) -> HubFindings:
    """The commit that each model's revision points to now, and what else the hub says.

    Where the hub does not answer, the commit is the one that was fetched last: a hub that is out of
    reach must not train a model again.
    """
    models = questions.hub_models
    asked = [partial(_Hub(questions, token).ask, model) for model in models]
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


def _lacks_room(snapshot: Snapshot, told: Mapping[HubModel, _Answer]) -> bool:
    """Whether it matters how much is there already."""
    needed = sum(each.facts.size_gb or 0 for each in told.values() if each.facts)
    return snapshot.disk_free is not None and needed * GB > snapshot.disk_free


class _Hub:
    """The hub, at its own address or a mirror's."""

    def __init__(self, questions: HostQuestions, token: str | None) -> None:
        address = questions.hub or os.environ.get("HF_ENDPOINT") or HUB
        self._address = address.rstrip("/")
        proxy = questions.hub_proxy
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, model: HubModel) -> _Answer:
        """Two questions: what there is of the model, and whether its files can be had."""
        known = model.revision if len(model.revision) == COMMIT_LENGTH else None
        revision = quote(model.revision, safe="")
        try:
            answer = self._get(f"api/models/{model.id}/revision/{revision}?blobs=true")
            if (refusal := _refusal(answer)) is not None:
                return _Answer(commit=known, facts=HubModelFacts(refusal=refusal))
            answer.raise_for_status()
            told = answer.json()
            commit = str(told["sha"])
            answer = self._get(f"{model.id}/resolve/{commit}/config.json")
            config = answer.json() if answer.status_code == HTTPStatus.OK else {}
            facts = HubModelFacts(
                size_gb=_size_gb(told.get("siblings") or ()),
                refusal=_refusal(answer),
                quantization=_quantization(config),
                shape=read_model_shape(config),
            )
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
            return _Answer(commit=known)
        return _Answer(commit=known or commit, facts=facts)

    def _get(self, path: str) -> requests.Response:
        return requests.get(
            f"{self._address}/{path}",
            headers=self._headers,
            proxies=self._proxies,
            timeout=HUB_SECONDS,
        )


def _refusal(answer: requests.Response) -> Literal["gated", "unknown", "no_revision"] | None:
    return None if answer.ok else REASONS.get(answer.headers.get(REASON_HEADER, ""))


def _size_gb(siblings: Sequence[Mapping[str, Any]]) -> float | None:
    """Of the files that are needed; None where one has no size."""
    sizes = {str(file["rfilename"]): file.get("size") for file in siblings}
    needed = [sizes[name] for name in needed_files(sizes)]
    known = [size for size in needed if isinstance(size, int)]
    return round(sum(known) / GB, 3) if known and len(known) == len(needed) else None


def _quantization(config: Mapping[str, Any]) -> str | None:
    said = config.get("quantization_config") or {}
    # bitsandbytes did not always write its own name.
    by_bits = said.get("load_in_4bit") or said.get("load_in_8bit")
    method = said.get("quant_method") or ("bitsandbytes" if by_bits else None)
    return str(method).lower() if method else None


def _compared(
    engine: Engine, place: Place, told: Mapping[HubModel, _Answer]
) -> dict[HubModel, _Answer]:
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
    of_the_model = [record for record in records if record["repo"] == model.id]
    of_the_revision = [each for each in of_the_model if each["revision"] == model.revision]
    if fetched := of_the_revision or of_the_model:
        return str(fetched[-1]["asked"])
    times = archive.folder_times(engine, place.container, str(_folder(model) / "snapshots"))
    return max(times, key=lambda commit: times[commit], default=None)


def _is_begun(engine: Engine, place: Place, model: HubModel) -> bool:
    return archive.stat_of(engine, place.container, str(_folder(model))) is not None


def _folder(model: HubModel) -> PurePosixPath:
    """Where the cache keeps a model: a folder of links for each commit, and what they lead to."""
    return HUB_CACHE / f"models--{model.id.replace('/', '--')}"
