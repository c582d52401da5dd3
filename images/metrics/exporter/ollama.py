"""What Ollama tells of itself: whether it answers, and which models it has loaded."""

import json
import time
import urllib.request
from collections.abc import Iterator

from families import Sample

SECONDS = 5.0


def samples(address: str) -> Iterator[Sample]:
    """One question to the server at an address."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"{address}/api/ps", timeout=SECONDS) as answer:  # noqa: S310
            loaded = json.load(answer)["models"]
    except (OSError, ValueError, KeyError):
        yield Sample(name="finetune_ollama_up", value=0)
        return
    yield Sample(name="finetune_ollama_up", value=1)
    yield Sample(name="finetune_ollama_answer_seconds", value=time.monotonic() - began)
    for model in loaded:
        labels = (str(model["name"]),)
        yield Sample(name="finetune_ollama_loaded_bytes", value=model["size"], labels=labels)
        yield Sample(
            name="finetune_ollama_loaded_gpu_bytes", value=model["size_vram"], labels=labels
        )
