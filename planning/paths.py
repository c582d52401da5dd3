"""Where things lie inside the containers. Every room derives its paths from here (F7)."""

from pathlib import PurePosixPath

DATA = PurePosixPath("/app/data")
OUTPUT = PurePosixPath("/app/output")
HF_CACHE = PurePosixPath("/root/.cache/huggingface")
OLLAMA_STORE = PurePosixPath("/root/.ollama")

RUNS = OUTPUT / "runs"
"""One folder per finished step, named by its fingerprint."""

PARTIAL = ".partial"
"""Suffix of a step's folder while the step is at work; it is renamed when complete."""

MARKER = "complete.json"
"""File inside a finished artefact: its fingerprint, and the token that vouches for it."""


def artefact(fingerprint: str) -> PurePosixPath:
    """The folder of a finished step."""
    return RUNS / fingerprint


def partial(fingerprint: str) -> PurePosixPath:
    """The folder of a step that is at work or was interrupted."""
    return RUNS / f"{fingerprint}{PARTIAL}"


def data_file(digest: str, name: str) -> PurePosixPath:
    """A data file; its folder is its content, so a changed file never overwrites another's."""
    return DATA / "files" / digest[:16] / name


def data_marker(fingerprint: str) -> PurePosixPath:
    """The marker of a complete registration."""
    return DATA / "registrations" / fingerprint / MARKER


def model_marker(fingerprint: str) -> PurePosixPath:
    """The marker of a served model; it lives and dies with the store that the model is in."""
    return OLLAMA_STORE / "finetune-stack" / fingerprint / MARKER


def ollama_manifest(served_name: str) -> PurePosixPath:
    """The manifest of a model in Ollama's store (`name:tag` or `namespace/name:tag`)."""
    name, _, tag = served_name.partition(":")
    owner = name if "/" in name else f"library/{name}"
    return OLLAMA_STORE / "models/manifests/registry.ollama.ai" / owner / tag
