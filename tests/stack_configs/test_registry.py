"""Names that both registries and Ollama take (O6)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.problem import Problem

Find = Callable[[Any], list[Problem]]


def published(document: dict[str, Any], name: str, host: str = "registry.example.org") -> Any:
    document["registry"] = {"host": host}
    document["models"][0]["ollama_model"] = {"publish": name}
    return document


@pytest.mark.parametrize(
    "name", ["team/guide", "team/guide:v1", "a-b_c/d.e-f:V.1_2", f"{'n' * 80}/{'m' * 80}:t"]
)
def test_names_that_ollama_can_pull(document: dict[str, Any], problems_of: Find, name: str) -> None:
    assert problems_of(published(document, name)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("guide", "a/b/c", "Team/guide", "team/", "/guide", "te.am/guide", "team/guide:"),
        *("team/gu ide", "team/../guide", "team/guide@sha256:0", "team--/guide"),
        *(f"{'n' * 81}/m", f"n/{'m' * 81}", f"n/m:{'t' * 82}"),
    ],
)
def test_names_that_it_cannot(document: dict[str, Any], problems_of: Find, name: str) -> None:
    (problem,) = problems_of(published(document, name))
    assert problem.key == "models[0].ollama_model.publish"


@pytest.mark.parametrize("host", ["localhost:5000", "10.0.0.1:5000", "ghcr.io", "Hub.Example.org"])
def test_hosts(document: dict[str, Any], problems_of: Find, host: str) -> None:
    assert problems_of(published(document, "team/guide", host)) == []


@pytest.mark.parametrize(
    "host",
    ["https://ghcr.io", "raven:pw@ghcr.io", "ghcr.io/team", "[::1]:5000", "", "ghcr.io:", "-a"],
)
def test_what_is_no_host(document: dict[str, Any], problems_of: Find, host: str) -> None:
    (problem,) = problems_of(published(document, "team/guide", host))
    assert problem.key == "registry.host"


@pytest.mark.parametrize("host", ["ollama.com", "registry.ollama.ai:443"])
def test_ollamas_own_registry_takes_no_password(
    document: dict[str, Any], problems_of: Find, host: str
) -> None:
    (problem,) = problems_of(published(document, "team/guide", host))
    assert "takes no password" in problem.rule
