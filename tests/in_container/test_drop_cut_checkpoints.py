"""Checkpoints that a kill or a power cut has left incomplete are no ground to resume on."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images.conftest import load_program

program = load_program(Path(__file__).parents[2] / "in_container/drop_cut_checkpoints.py")


def safetensors(size: int) -> bytes:
    """A file with one tensor of so many bytes, in the format that safetensors writes."""
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "weight": tensor}).encode() + b"   "
    return len(header).to_bytes(8, "little") + header + bytes(size)


def torch_file(size: int) -> bytes:
    """A file as torch writes it since 1.6: a ZIP archive that is not compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", bytes(size))
    return file.getvalue()


INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
FILES = {
    "adapter_model.safetensors": safetensors(300),
    "adapter_config.json": b'{"r": 8}',
    "optimizer.pt": torch_file(500),
    "rng_state.pth": torch_file(10),
    "training_args.bin": torch_file(20),
    "scheduler.pt": b"\x80\x02}q\x00.",
    "tokenizer.model": b"",
    "README.md": b"",
    "global_step20/mp_rank_00_model_states.pt": torch_file(40),
    "model.safetensors.index.json": INDEX.encode(),
    "model-1.safetensors": safetensors(0),
    "model-2.safetensors": safetensors(1),
    program.STATE: b'{"global_step": 20}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A training with two checkpoints."""
    for number in (20, 40):
        for name, content in FILES.items():
            path = tmp_path / f"checkpoint-{number}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return tmp_path


def left(folder: Path) -> list[str]:
    program.main([str(folder)])
    return sorted(path.name for path in folder.iterdir())


def cut(at: Callable[[int], int]) -> Callable[[Path], None]:
    """A file of which only its first bytes have reached the disk."""

    def harm(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: at(path.stat().st_size)])

    return harm


HALF, LAST, FIRST, NOTHING = (
    cut(lambda size: size // 2),
    cut(lambda size: size - 1),
    cut(lambda _: 4),
    cut(lambda _: 0),
)


def blank(path: Path) -> None:
    """What a journal has kept of a file whose content it has not: the length alone."""
    path.write_bytes(bytes(path.stat().st_size))


def test_whole_ones_stay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert left(folder) == ["checkpoint-20", "checkpoint-40"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("harm", [HALF, LAST, FIRST, NOTHING, blank])
@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.safetensors",
        "model-2.safetensors",
        "optimizer.pt",
        "training_args.bin",
        "global_step20/mp_rank_00_model_states.pt",
        program.STATE,
    ],
)
def test_one_with_a_cut_file_goes_and_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, harm: Callable[[Path], None]
) -> None:
    harm(folder / "checkpoint-40" / name)
    assert left(folder) == ["checkpoint-20"]
    told = capsys.readouterr().out
    assert told.startswith("checkpoint-40 is not whole and goes: ")
    assert name in told


@pytest.mark.parametrize("name", ["model-2.safetensors", program.STATE])
def test_one_without_a_file_that_it_needs_goes(folder: Path, name: str) -> None:
    (folder / "checkpoint-40" / name).unlink()
    assert left(folder) == ["checkpoint-20"]


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", b'{"a": 1}', b'{"a": {"data_offsets": [0]}}', b"\xff", b'{"a": {"data_offsets"'],
)
def test_a_header_of_nonsense_is_no_stack_trace(folder: Path, content: bytes) -> None:
    file = folder / "checkpoint-40/adapter_model.safetensors"
    file.write_bytes(len(content).to_bytes(8, "little") + content + b"rest")
    assert left(folder) == ["checkpoint-20"]


def test_where_none_is_whole_the_training_begins_again(folder: Path) -> None:
    for number in (20, 40):
        HALF(folder / f"checkpoint-{number}/optimizer.pt")
    assert left(folder) == []
