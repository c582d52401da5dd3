"""`make usage` and `make prune`: which states the program gets, and what it is asked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from toolchain import retention
from toolchain.engine_choice import EngineChoice
from toolchain.errors import ToolchainError
from toolchain.places import Places, places_from

ENVIRONMENT = {"PATH": "/usr/bin"}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A backend with the stacks dev and prod."""
    backend = tmp_path / "backend"
    folder = backend / ".pulumi/stacks/finetune-stack"
    folder.mkdir(parents=True)
    for name in ("dev", "prod"):
        (folder / f"{name}.json").write_text("{}")
    return places_from({"HOME": str(tmp_path), "PULUMI_BACKEND_URL": f"file://{backend}"})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the program was called with; a state is named by the stack that it is of."""
    calls: list[list[str]] = []

    def run(argv: Sequence[str], **_given: Any) -> str:
        *_, stack, _flag, file = argv
        Path(file).write_text(stack)
        return ""

    def follow(argv: Sequence[Any], *, env: Mapping[str, str], **_: Any) -> int:
        assert env == ENVIRONMENT
        words = [str(word) for word in argv[3:]]
        calls.append([Path(w).read_text() if w.endswith(".json") else w for w in words])
        return 3

    monkeypatch.setattr(retention, "run", run)
    monkeypatch.setattr(retention, "follow", follow)
    return calls


Prune = Callable[..., int]


@pytest.fixture
def prune(places: Places) -> Prune:
    def call(stack: str, choice: EngineChoice | None = None, **changes: bool) -> int:
        given = {"images": False, "yes": False, **changes}
        return retention.prune(places, choice or EngineChoice(), stack, ENVIRONMENT, **given)

    return call


def test_the_stacks_own_state_comes_first_and_all_others_follow(
    places: Places, asked: list[list[str]], prune: Prune
) -> None:
    assert retention.usage(places, "prod", ENVIRONMENT) == 3
    assert prune("dev") == 3
    assert asked == [["usage", "prod", "dev"], ["prune", "dev", "prod"]]


def test_what_the_operator_has_said_is_handed_on(asked: list[list[str]], prune: Prune) -> None:
    prune("dev", images=True, yes=True)
    assert asked == [["prune", "dev", "prod", "--yes", "--images"]]


def test_a_stack_without_a_state_is_looked_for_by_its_name(
    asked: list[list[str]], prune: Prune
) -> None:
    prune("old", yes=True)
    prune("old", EngineChoice("ssh://user@gpu-box", "DOCKER_HOST"))
    assert asked == [
        ["gone", "old", "--yes"],
        ["gone", "old", "--engine", "ssh://user@gpu-box"],
    ]


def test_no_room_is_told_of_a_stack_that_is_not_there(places: Places) -> None:
    with pytest.raises(ToolchainError, match="make up STACK=old"):
        retention.usage(places, "old", ENVIRONMENT)
