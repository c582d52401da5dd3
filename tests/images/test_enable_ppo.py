"""The image's way to stage ppo, as far as it needs no image (T3); `integration/` trains with it."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.images.conftest import load_program

PROGRAM = Path(__file__).parents[2] / "images/llamafactory/build/enable_ppo.py"


@pytest.fixture
def enable_ppo() -> ModuleType:
    return load_program(PROGRAM)


@pytest.mark.parametrize(
    ("installed", "needed"),
    [("0.9.6", False), ("0.8.6", False), ("0.18.0", True), ("0.24.0", True), ("1.0.0", True)],
)
def test_only_a_newer_trl_needs_the_old_one_beside_it(
    enable_ppo: ModuleType, installed: str, needed: bool
):
    assert enable_ppo.needs_old_trl(installed) is needed


def test_an_edit_is_made(enable_ppo: ModuleType, tmp_path: Path):
    file = tmp_path / "trainer.py"
    file.write_text("from trl.core import logprobs\n")
    edits = (("from trl.core import", "from trl_ppo.core import"),)
    enable_ppo.edit(file, edits, feature="stage ppo")
    assert file.read_text() == "from trl_ppo.core import logprobs\n"


def test_an_unknown_trainer_ends_the_build(
    enable_ppo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "trainer.py"
    file.write_text("something else\n")
    with pytest.raises(SystemExit, match="1"):
        enable_ppo.edit(file, enable_ppo.TRAINER_EDITS, feature="stage ppo")
    assert "images.llamafactory.version" in capsys.readouterr().err
    assert file.read_text() == "something else\n"
