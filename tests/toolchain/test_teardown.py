"""What `down` may take away."""

from pathlib import Path

import pytest

from toolchain.engine_choice import EngineChoice
from toolchain.environment import ensure_state
from toolchain.places import places_from
from toolchain.teardown import is_ours, tidy_up


@pytest.mark.parametrize(
    ("tags", "labels", "ours"),
    [
        (["finetune-stack/ollama:1"], {}, True),
        ([], {"finetune-stack.build-stage": "ollama"}, True),
        (["debian:trixie-slim"], {"finetune-stack": "base"}, True),
        (["debian:trixie-slim"], {}, False),
        (["finetune-stack/ollama:1", "mine:kept"], {}, False),
        (["mine:kept"], {"finetune-stack.build-stage": "ollama"}, False),
        (["finetune-stacks/other:1"], {}, False),
        ([], {"finetune-stack-of-others": "x"}, False),
        ([], {}, False),
    ],
)
def test_only_images_of_this_project(tags: list[str], labels: dict[str, str], ours: bool) -> None:
    assert is_ours(tags, labels) is ours


def test_a_state_that_still_has_a_stack_keeps_its_passphrase(tmp_path: Path) -> None:
    places = places_from({"HOME": str(tmp_path)})
    ensure_state(places, {})
    stacks = places.state / ".pulumi" / "stacks" / "finetune-stack"
    stacks.mkdir(parents=True)
    (stacks / "dev.json").touch()

    tidy_up(places, EngineChoice(), clean=False)
    assert places.passphrase.exists()

    (stacks / "dev.json").unlink()
    tidy_up(places, EngineChoice(), clean=False)
    assert not places.state.exists()
