"""Where things lie inside the containers. Every room derives its paths from here (F7)."""

from pathlib import PurePosixPath

from plan import labels

DATA = PurePosixPath("/app/data")
DATA_FILES = DATA / "files"
MEDIA = DATA / "media"
REGISTRATIONS = DATA / "registrations"
OUTPUT = PurePosixPath("/app/output")
HF_CACHE = PurePosixPath("/root/.cache/huggingface")
HUB_CACHE = HF_CACHE / "hub"
"""Where the hub's own library keeps what it has fetched."""

OLLAMA_STORE = PurePosixPath("/root/.ollama")

SERVER_REQUESTS = OLLAMA_STORE / f"{labels.NAMESPACE}-requests"
"""What is handed to the Ollama server for a moment: its container writes to its store alone."""

OLLAMA_BLOBS = OLLAMA_STORE / "models/blobs"
"""The layers of all models, named by their digests."""

RUNS = OUTPUT / "runs"
"""One folder per finished step, named by its identity."""

TRACKERS = OUTPUT / "trackers"
"""What runs report to trackers that keep files."""

TENSORBOARD = TRACKERS / "tensorboard"
"""Event files, in a folder for each model and run."""

TRAINING_RECORDS = OUTPUT / "training-records"
"""One file per finished training, named by its identity: see `plan.training_record`."""

PARTIAL = ".partial"
"""Suffix of a step's folder while the step is at work; it is renamed when complete."""

REMOVED = ".removed"
"""Suffix of a folder that is on its way out, and counts no more."""

BOARD = OUTPUT / "board"
"""Where LLaMA Board works: what is trained and exported there outlives its container."""

PRELOAD = OUTPUT / "preload"
"""There once a service has run out of its static TLS block: the stack's services preload."""

MODELSCOPE_CACHE = HF_CACHE / "modelscope"
"""What comes from ModelScope, laid out as `hub`, the folder of Hugging Face's client, is."""

FETCHED = "fetched.json"
"""What a base model's artefact says of the files that lie in the cache beside it."""

MARKER = "complete.json"
"""File inside a finished artefact: see `plan.marker`."""

SUMS = "SHA256SUMS"
"""What a finished artefact says of every file in it but its marker, as `sha256sum` writes it."""

SUMS_END = "# complete"
"""Its last line: without it the list was cut off."""

FETCHED_SUMS = "fetched.sha256"
"""The same of the files that lie in the cache, as their hub told them."""

CHECKPOINT = "checkpoint-"
"""Begins the name of each folder that a training can be resumed from."""

TRAINING_ARGUMENTS = "train.yaml"
"""What a training is told."""

TRAINER_STATE = "trainer_state.json"
"""What the trainer says at its end of its steps."""

COMPLETE = ".complete"
"""Suffix of a file beside a folder in the data volume: all of the folder is there."""

DATASET_INFO = "dataset_info.json"
"""LLaMA-Factory's register of data sets."""

SERVED_MARKERS = OLLAMA_STORE / labels.NAMESPACE
"""One folder per served model, named by its identity; it lives and dies with Ollama's store."""

MODEL_CARD = "model_card.md"
"""What readers want to know of a model: see `plan.model_card`."""

EVALUATIONS = OLLAMA_STORE / f"{labels.NAMESPACE}-evaluations"
"""One folder per stack, and in it one per evaluated model, named by its identity."""

EVALUATION_RECORD = "evaluation.json"
"""What such a folder holds: see `plan.evaluation`."""


def artefact(identity: str, volume: PurePosixPath = OUTPUT) -> PurePosixPath:
    """The folder of a finished step, in the volume that is mounted there."""
    return volume / RUNS.name / identity


def partial(identity: str, volume: PurePosixPath = OUTPUT) -> PurePosixPath:
    """The folder of a step that is at work or was interrupted."""
    return volume / RUNS.name / f"{identity}{PARTIAL}"


def training_record(identity: str) -> PurePosixPath:
    """What a finished training took."""
    return TRAINING_RECORDS / f"{identity}.json"


def hub_folder(hub: str, model: str) -> PurePosixPath:
    """What the cache has of a hub's model: `blobs`, and `snapshots` of links to them by commit."""
    cache = MODELSCOPE_CACHE if hub == "modelscope" else HUB_CACHE
    return cache / f"models--{model.replace('/', '--')}"


def data_file(digest: str, name: str) -> PurePosixPath:
    """A data file; its folder is its content, so a changed file never overwrites another's."""
    return DATA_FILES / digest[:16] / name


def media_folder(digest: str) -> PurePosixPath:
    """A data set's images, videos and audios, named by what they are."""
    return MEDIA / digest[:16]


def complete_folder(folder: str) -> str:
    """The file that says so of a folder."""
    return f"{folder}{COMPLETE}"


def data_marker(identity: str) -> PurePosixPath:
    """The marker of a complete registration."""
    return REGISTRATIONS / identity / MARKER


def served_marker(identity: str) -> PurePosixPath:
    """The marker of a served model."""
    return SERVED_MARKERS / identity / MARKER


def evaluation_record(stack: str, identity: str) -> PurePosixPath:
    """The answers, side by side, of the last evaluation of a model."""
    return EVALUATIONS / stack / identity / EVALUATION_RECORD


def ollama_blob(digest: str) -> PurePosixPath:
    """A layer in Ollama's store, by `sha256:...`."""
    return OLLAMA_BLOBS / digest.replace(":", "-")


def ollama_manifest(served_name: str) -> PurePosixPath:
    """The manifest of a model in Ollama's store (`name:tag` or `namespace/name:tag`)."""
    name, _, tag = served_name.partition(":")
    owner = name if "/" in name else f"library/{name}"
    return OLLAMA_STORE / "models/manifests/registry.ollama.ai" / owner / (tag or "latest")
