"""Which files of a model are fetched: said once, gone by in the look and in the container."""

from pathlib import Path

import pytest

from plan.model_files import DUPLICATES, NEVER_LOADED, SAFETENSORS, needed_files
from tests.images.conftest import load_program

PROGRAM = Path(__file__).parents[2] / "in_container/fetch_model.py"
CODE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "qwen.tiktoken",
)
CASES = {
    # Meta's own: the checkpoint as it was trained lies beside.
    "llama": (
        (*CODE, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        ("original/consolidated.00.pth", "original/params.json", ".gitattributes"),
    ),
    "mistral": ((*CODE, "model.safetensors", "params.json"), ("consolidated.safetensors",)),
    "both formats": (
        (*CODE, "model.safetensors", "model.safetensors.index.json", "modeling_own.py"),
        ("pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"),
    ),
    "no safetensors": (
        (*CODE, "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"),
        ("tf_model.h5", "flax_model.msgpack"),
    ),
    "of every kind": (
        (*CODE, "model.safetensors"),
        ("model-q4.gguf", "onnx/model.onnx", "onnx/config.json", "rust_model.ot"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_come_once_and_code_and_tokenizer_always(case: str) -> None:
    needed, left = CASES[case]
    assert needed_files([*left, *needed]) == needed


@pytest.mark.parametrize("case", CASES)
def test_the_program_in_the_container_goes_by_the_same_rule(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    program = load_program(PROGRAM)
    asked = program.Parameters(
        hub="huggingface",
        cache="/cache",
        repo="a/b",
        revision="main",
        asked="main",
        never=NEVER_LOADED,
        weights=SAFETENSORS,
        duplicates=DUPLICATES,
        patience_seconds=1,
    )
    needed, left = CASES[case]
    assert program.needed_files([*left, *needed], asked) == needed
