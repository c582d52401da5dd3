"""What ModelScope says of a model."""

import os
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal

import requests

from plan.host import HubModel, HubModelFacts
from runtime.host.hub_answer import SILENCE, Answer, Way, describe, known_commit

ADDRESS = "https://modelscope.cn"


def ask_model_scope(
    model: HubModel, *, address: str | None, proxy: str | None, token: str | None
) -> Answer:
    """Two questions: what there is of the model, and whether its files can be had."""
    way = Way(address or os.environ.get("MODELSCOPE_ENDPOINT") or ADDRESS, proxy, token)
    place, known = f"api/v1/models/{model.id}", known_commit(model.revision)
    try:
        answer = way.get(f"{place}/repo/files", Revision=model.revision, Recursive="True")
        if (refusal := _refusal(answer)) is not None:
            knows_the_model = refusal == "unknown" and way.get(f"{place}/revisions").ok
            facts = HubModelFacts(refusal="no_revision" if knows_the_model else refusal)
            return Answer(commit=known, facts=facts)
        answer.raise_for_status()
        told = answer.json()["Data"]
        files = [file for file in told["Files"] if file.get("Type") != "tree"]
        answer = way.get(f"{place}/repo", Revision=model.revision, FilePath="config.json")
        config = answer.json() if answer.status_code == HTTPStatus.OK else {}
        sizes = {str(file["Path"]): file.get("Size") for file in files}
        facts = replace(describe(sizes, config), refusal=_refusal(answer, of_a_file=True))
    except SILENCE:
        return Answer(commit=known)
    return Answer(commit=known or commit_of(told), facts=facts)


def commit_of(told: Mapping[str, Any]) -> str | None:
    """The commit that a listing is of, as `in_container/model_scope.py` reads it too.

    The listing has its first digits, and of each entry the commit that changed it last. None where
    no entry tells it in full.
    """
    begins = str((told.get("LatestCommitter") or {}).get("ShortId") or "")
    changed = (str(each.get("Revision") or "") for each in told["Files"])
    return next((commit for commit in changed if begins and commit.startswith(begins)), None)


def _refusal(
    answer: requests.Response, *, of_a_file: bool = False
) -> Literal["gated", "unknown"] | None:
    """None too where the answer is not ModelScope's own: it may be that of a proxy on the way."""
    try:
        is_its_own = "Code" in answer.json()
    except ValueError:
        return None
    if not is_its_own or answer.ok:
        return None
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "gated"
    is_missing = answer.status_code == HTTPStatus.NOT_FOUND and not of_a_file
    return "unknown" if is_missing else None
