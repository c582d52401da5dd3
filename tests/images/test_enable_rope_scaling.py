"""The image's way to rope_scaling, as far as it needs no image (T5); `integration/` trains."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.images.conftest import load_program

PROGRAM = Path(__file__).parents[2] / "images/llamafactory/build/enable_rope_scaling.py"


@pytest.fixture
def program() -> ModuleType:
    return load_program(PROGRAM)


@pytest.mark.parametrize(
    ("transformers", "needed"), [("4.57.1", False), ("5.0.0", True), ("5.5.4", True)]
)
def test_only_transformers_5_needs_it(program: ModuleType, transformers: str, needed: bool):
    assert program.is_needed(transformers) is needed


def test_the_base_of_the_rotation_is_kept_and_the_length_is_a_whole_number(
    program: ModuleType, tmp_path: Path
):
    file = tmp_path / "rope.py"
    file.write_text(
        "def scale(config, old_max_length, rope_factor, rope_kwargs):\n"
        '    setattr(config, "max_position_embeddings", old_max_length * rope_factor)\n'
        '    setattr(config, "rope_scaling", rope_kwargs)\n'
    )
    program.edit(file, program.EDITS, feature=program.FEATURE)
    config = SimpleNamespace(rope_parameters={"rope_theta": 10000.0})
    scope: dict[str, object] = {}
    exec(file.read_text(), scope)  # noqa: S102 - the text that was just edited
    scope["scale"](config, 2048, 2.0, {"factor": 2.0})  # type: ignore[operator]
    assert type(config.max_position_embeddings) is int
    assert config.rope_scaling == {"factor": 2.0, "rope_theta": 10000.0}
