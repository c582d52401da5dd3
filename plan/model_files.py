"""Which files of a model on the hub are needed: the look at the host sums their sizes, a program in
a container fetches them.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

NEVER_LOADED = (
    *("*.gguf", "*.onnx", "*.onnx_data", "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.mlmodel"),
    *("onnx/*", "openvino/*", "coreml/*", ".git*"),
)
"""Formats that no step loads."""

SAFETENSORS = ("model.safetensors", "model-*.safetensors")
"""Weights as they are preferred."""

DUPLICATES = ("pytorch_model*.bin*", "*.pth", "*.pt", "*.ckpt", "original/*", "consolidated*")
"""The same weights once more, where there are safetensors."""


def needed_files(names: Iterable[str]) -> tuple[str, ...]:
    """The files to fetch, of all that a model has: code, tokenizer, configuration and weights.

    `in_container/fetch_model.py` is given the patterns, and goes by the same rule.
    """
    files = [name for name in names if not _is_any(name, NEVER_LOADED)]
    if any(_is_any(name, SAFETENSORS) for name in files):
        files = [name for name in files if not _is_any(name, DUPLICATES)]
    return tuple(files)


def _is_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
