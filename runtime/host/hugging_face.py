"""What Hugging Face's hub, or a mirror of it, says of a model."""

import os
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote

import requests

from plan.host import HubModel, HubModelFacts
from runtime.host.hub_answer import SILENCE, Answer, Way, describe, known_commit

ADDRESS = "https://huggingface.co"
REASON_HEADER = "X-Error-Code"
"""The hub's own word on a refusal. Without it the answer may be that of a proxy on the way."""
REASONS: Mapping[str, Literal["gated", "unknown", "no_revision"]] = {
    "GatedRepo": "gated",
    "RepoNotFound": "unknown",
    "RevisionNotFound": "no_revision",
}


def ask_hugging_face(
    model: HubModel, *, address: str | None, proxy: str | None, token: str | None
) -> Answer:
    """Two questions: what there is of the model, and whether its files can be had."""
    way = Way(address or os.environ.get("HF_ENDPOINT") or ADDRESS, proxy, token)
    known = known_commit(model.revision)
    try:
        revision = quote(model.revision, safe="")
        answer = way.get(f"api/models/{model.id}/revision/{revision}", blobs="true")
        if (refusal := _refusal(answer)) is not None:
            return Answer(commit=known, facts=HubModelFacts(refusal=refusal))
        answer.raise_for_status()
        told = answer.json()
        commit = str(told["sha"])
        sizes = {str(file["rfilename"]): file.get("size") for file in told.get("siblings") or ()}
        answer = way.get(f"{model.id}/resolve/{commit}/config.json")
        config = answer.json() if answer.status_code == HTTPStatus.OK else {}
        facts = replace(describe(sizes, config), refusal=_refusal(answer))
    except SILENCE:
        return Answer(commit=known)
    return Answer(commit=known or commit, facts=facts)


def _refusal(answer: requests.Response) -> Literal["gated", "unknown", "no_revision"] | None:
    return None if answer.ok else REASONS.get(answer.headers.get(REASON_HEADER, ""))
