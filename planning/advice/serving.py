"""What serving does to a host with accelerators, and cannot do there (F2)."""

from collections.abc import Iterator

from plan.host import HostFacts
from plan.problem import Problem
from planning.images import ollama_reaches_accelerators
from planning.memory.model_size import billions_of
from stack_configs.settings.quantization import BITS_PER_WEIGHT
from stack_configs.settings.root import Settings

API_BYTES_PER_WEIGHT = 2.0
"""`llamafactory-cli api` loads the model in 16 bits."""


def about_serving(settings: Settings) -> Iterator[Problem]:
    """An Ollama server that leaves the host's accelerators alone."""
    hardware, ollama = settings.host.hardware, settings.images.ollama
    if hardware == "cpu" or ollama_reaches_accelerators(settings):
        return
    if ollama.build and hardware != "npu":
        yield Problem(
            "images.ollama.build",
            "true",
            f"the build is for processors, and host.hardware is {hardware}: the GPUs train, and "
            "models answer slowly",
            "Remove it to serve from the GPUs, with Ollama's own image",
        )
    else:
        yield Problem(
            "host.hardware",
            hardware,
            "Ollama knows no such accelerator: the devices train, and models answer from the "
            "processors, slowly",
            "Set images.ollama.image if you have an Ollama for it, or leave it so",
        )


def held_while_training_gb(settings: Settings, facts: HostFacts) -> float:
    """GB on a GPU that a run finds taken, where the settings let serving keep its memory.

    The API's model, and the largest of those that Ollama serves: it may hold several, and keeps
    none for long.
    """
    if settings.host.gpu.while_training == "free":
        return 0.0
    served = [
        (billions_of(model.base_model, facts) or 0.0)
        * BITS_PER_WEIGHT[model.gguf_conversion.quantization]
        / 8
        for model in settings.models
    ]
    held = max(served) if ollama_reaches_accelerators(settings) else 0.0
    if settings.api.enabled:
        names = {model.name: model for model in settings.models}
        chosen = names[settings.api.model or settings.models[0].name]
        held += (billions_of(chosen.base_model, facts) or 0.0) * API_BYTES_PER_WEIGHT
    return held
