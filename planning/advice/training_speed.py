"""What holds a training back without making it fail: told before it runs (T5, T6)."""

from collections.abc import Iterator

from plan.host import HostFacts
from plan.problem import Problem
from planning.memory.model_size import billions_of
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

USUAL_SHM_GB = 16
"""The guide's smaller value (F6)."""
MERGE_GB_PER_BILLION = 2.0
"""`llamafactory-cli export` loads the model in 16 bits."""


def about_training_speed(settings: Settings, facts: HostFacts) -> Iterator[Problem]:
    """Settings that cost time, on this host where it was looked at."""
    yield from _about_the_host(settings)
    yield from _about_merges(settings, facts)
    for model_index, model in enumerate(settings.models):
        for run_index, run in enumerate(model.training_runs):
            key = f"models[{model_index}].training_runs[{run_index}]"
            yield from _about_a_run(run, settings, facts, key)


def _about_the_host(settings: Settings) -> Iterator[Problem]:
    host = settings.host
    if host.hardware != "cpu" and host.ipc != "host" and host.shm_size_gb < USUAL_SHM_GB:
        yield Problem(
            "host.shm_size_gb",
            f"{host.shm_size_gb:g}",
            "data loaders and GPUs exchange their data there, and wait when it is short",
            f"Set it to {USUAL_SHM_GB} or 32, or host.ipc to host",
        )


def _about_merges(settings: Settings, facts: HostFacts) -> Iterator[Problem]:
    for index, model in enumerate(settings.models):
        billions, memory = billions_of(model.base_model, facts), facts.memory_gb
        if billions is None or memory is None or model.merge.export_device != "cpu":
            continue
        if memory < (needed := MERGE_GB_PER_BILLION * billions):
            yield Problem(
                f"models[{index}].merge.export_device",
                "cpu",
                f"{billions:.3g}B weights take about {needed:.0f} GB of memory, and the engine's "
                f"host has {memory:g} GB: it will swap",
                "Set it to auto, or take a host with more memory",
            )


def _about_a_run(
    run: TrainingRunSettings, settings: Settings, facts: HostFacts, key: str
) -> Iterator[Problem]:
    host, cores = settings.host, facts.cpu_cores
    if run.threads is not None and cores is not None and run.threads > cores:
        yield Problem(
            f"{key}.threads",
            str(run.threads),
            f"the engine's host has {cores} cores, and more threads than that wait for each other",
            f"Set it to {cores} or fewer, or leave it out",
        )
    if host.hardware == "cpu":
        if run.precision != "fp32":
            yield Problem(
                f"{key}.precision",
                repr(run.precision),
                "most processors compute faster in 32 bits",
                "Set it to fp32 on a host without a GPU",
            )
        if run.flash_attn == "fa2":
            yield Problem(
                f"{key}.flash_attn",
                repr(run.flash_attn),
                "flash attention computes on GPUs; on a processor LLaMA-Factory leaves it away",
                "Remove it on a host without a GPU",
            )
        return
    if run.precision == "fp32":
        yield Problem(
            f"{key}.precision",
            "'fp32'",
            "it takes twice the memory of bf16 and leaves the GPU's matrix units idle",
            "Set it to bf16, or to fp16 on a GPU older than Ampere",
        )
    if run.flash_attn == "disabled":
        yield Problem(
            f"{key}.flash_attn",
            "'disabled'",
            "plain attention grows with the square of cutoff_len",
            "Leave it out, or set it to fa2 where the image has it",
        )
    count = host.gpu.count if host.gpu.count != "all" else len(facts.gpus or ())
    if count > 1 and not run.trains_adapter and run.deepspeed is None and run.fsdp is None:
        yield Problem(
            f"{key}.deepspeed",
            "",
            f"each of the {count} GPUs keeps a whole optimizer for itself",
            "Set it to zero2, or to zero3 to share the weights as well",
        )
    one_nvidia_gpu = host.hardware == "cuda" and count == 1
    is_lora_sft = (run.stage, run.finetuning_type) == ("sft", "lora")
    if one_nvidia_gpu and is_lora_sft and not run.use_unsloth:
        yield Problem(
            f"{key}.use_unsloth",
            "false",
            "on one NVIDIA GPU, Unsloth trains LoRA layers about twice as fast",
            "Set it to true if Unsloth knows the model",
        )
