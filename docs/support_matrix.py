"""docs/support_matrix.md: what runs on which hardware, and what has been proved of it."""

from collections.abc import Iterator, Mapping
from typing import get_args

from docs import chat_templates
from planning.extras import EXTRA_OF
from planning.images import OLLAMA_GPU_TAGS, ollama_image
from planning.recipes import LLAMAFACTORY_BASE
from stack_configs.settings.consistency import HARDWARE_OF
from stack_configs.settings.host import Hardware
from stack_configs.settings.images import OllamaImageSettings
from stack_configs.settings.llamafactory_image import LlamaFactoryImageSettings

HEAD = """<!-- Made by `python -m docs.generate` from the tables of the code. -->

# What runs on which hardware

For LLaMA-Factory {llamafactory} and Ollama {ollama}. "yes" means that the released library computes
there, as its makers say, and that the settings allow it; the last table says what has been proved
here. "no" is refused before anything is made.
"""

OF_YOUR_OWN = """
An image of your own (`images.llamafactory.image` or `base_image`, `images.ollama.image`) may know
more: QLoRA on Ascend, for one, with bitsandbytes built for it.
"""
NOT_PROVED = """
Not proved anywhere: that a driver accepts what the engine is told, that the images build on their
real bases, and that DeepSpeed, FSDP, Unsloth, flash attention and, on a GPU, QLoRA run.

Of FSDP and DeepSpeed it is shown that the release's parser, and DeepSpeed's own classes, take
what is rendered. FSDP of version 1 does not run on processors at all, and version 2 wants a torch
later than the 2.6 of the release's own base. Unsloth is pinned to a version whose requirements
hold beside that torch and the release's packages."""

NAMES: Mapping[Hardware, str] = {
    "cpu": "processors",
    "cuda": "NVIDIA",
    "rocm": "AMD",
    "npu": "Huawei Ascend",
}

FEATURES = {
    "QLoRA": "quantization_bit",
    "DeepSpeed ZeRO": "deepspeed",
    "FSDP": "fsdp",
    "Unsloth": "use_unsloth",
}
"""By the setting of a training run that asks for it."""

FLASH_ATTENTION = "flashattn"
"""In the name of a base image that has the package `flash-attn`."""

STAND_IN_BASE = (
    "the image builds, on a base with torch for processors in place of the real one",
    "tests/integration/test_variants.py",
)
PROVED: Mapping[Hardware, tuple[tuple[str, str], ...]] = {
    "cpu": (
        ("the demo, from a bare host to an answer in Ollama", "tests/integration/test_demo.py"),
        ("every stage and method trains, merges and answers", "tests/integration/test_stages.py"),
        (
            "QLoRA too, and families, methods, stages and types of weights in each pair: "
            "[the matrix](training_matrix.md)",
            "tests/integration/test_training_matrix.py",
        ),
        ("two hosts train one model", "tests/integration/test_cluster.py"),
    ),
    "cuda": (
        STAND_IN_BASE,
        (
            "`--gpus` makes `nvidia-smi` answer in a step's container, with a stand-in for the "
            "driver's hook",
            "tests/runtime/docker/test_gpu_engine.py",
        ),
    ),
    "rocm": (
        STAND_IN_BASE,
        ("what the engine is told: devices, groups", "tests/planning/test_accelerator.py"),
    ),
    "npu": (
        STAND_IN_BASE,
        ("what the engine is told: devices, driver mounts", "tests/planning/test_accelerator.py"),
    ),
}
"""What tests show, and which. None of them had a GPU."""


def render() -> str:
    """The whole page."""
    return "\n".join([*_lines(), ""])


def _lines() -> Iterator[str]:
    llamafactory, ollama = LlamaFactoryImageSettings().version, OllamaImageSettings().version
    variants: tuple[Hardware, ...] = get_args(Hardware)
    yield HEAD.format(llamafactory=llamafactory, ollama=ollama)
    yield _row("", *(f"{NAMES[hardware]} (`{hardware}`)" for hardware in variants))
    yield _row(*["---"] * (1 + len(variants)))
    yield _row("base of the training image", *(f"`{LLAMAFACTORY_BASE[h]}`" for h in variants))
    yield _row("flash attention (`flash_attn: fa2`)", *(_flash_attention(h) for h in variants))
    for feature, setting in FEATURES.items():
        knows = ["yes" if hardware in HARDWARE_OF[setting] else "no" for hardware in variants]
        brings = f", brings `{EXTRA_OF[setting]}`" if setting in EXTRA_OF else ""
        yield _row(f"{feature} (`{setting}`{brings})", *knows)
    yield _row("Ollama's image", *(f"`{ollama_image(ollama, hardware)}`" for hardware in variants))
    served = ["accelerators" if h in OLLAMA_GPU_TAGS else "processors" for h in variants]
    yield _row("Ollama computes on", *served)
    yield _row(
        "Ollama built from source (`images.ollama.build`) computes on",
        *["processors"] * len(variants),
    )
    yield OF_YOUR_OWN
    yield "## What has been proved\n"
    yield _row("hardware", "shown", "by")
    yield _row("---", "---", "---")
    for hardware in variants:
        for shown, test in PROVED[hardware]:
            yield _row(NAMES[hardware], shown, f"`{test}`")
    yield NOT_PROVED
    yield from chat_templates.lines()


def _flash_attention(hardware: Hardware) -> str:
    if hardware == "cpu":
        return "no"
    return "in the base" if FLASH_ATTENTION in LLAMAFACTORY_BASE[hardware] else "if the base has it"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
