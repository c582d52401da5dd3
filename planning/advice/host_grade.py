"""Which grade of hardware the host is, and what to expect of one below the minimum (H1)."""

from collections.abc import Iterator

from plan.host import HostFacts
from plan.host_grade import GRADES, MINIMUM, HostSize, describe_grade
from plan.problem import Problem
from stack_configs.settings.root import Settings

EXPECTED = {
    "cpu_cores": "data is prepared and models are converted slowly",
    "memory_gb": "the merge and the conversion hold a model's weights in memory, and may not fit",
    "gpu_memory_gb": "only small models, or QLoRA, fit",
    "disk_gb": "images, base model, checkpoints and the served model may not fit",
}
SETTINGS = {"cpu_cores": "host.minimum.cpu_cores", "memory_gb": "host.minimum.memory_gb"}
SETTINGS |= {"disk_gb": "host.minimum.disk_gb"}


def tell_host_grade(settings: Settings, facts: HostFacts, *, is_made: bool) -> Iterator[str]:
    """One line about the host; none where nobody looked. `is_made`: see `about_host_grade`."""
    size = _size(settings, facts, is_made=is_made)
    if size.figures:
        yield f"hardware of the host: {describe_grade(size)}"


def about_host_grade(settings: Settings, facts: HostFacts, *, is_made: bool) -> Iterator[Problem]:
    """Figures below the guide's minimum, but for those that the settings have judged themselves.

    `is_made`: all work of the stack is there, and has taken the disk that it needs.
    """
    size = _size(settings, facts, is_made=is_made)
    for name in size.short_of(GRADES[MINIMUM]):
        if name in settings.host.minimum.model_fields_set:
            continue
        setting = SETTINGS.get(name)
        own = f", or set {setting} to what this stack needs" if setting else ""
        yield Problem(
            setting or "host.gpu.memory_gb",
            "",
            f"the host has {size.told((name,))}, and the guide's minimum is "
            f"{GRADES[MINIMUM].told((name,))}: {EXPECTED[name]}",
            f"Take a larger host{own}",
        )


def _size(settings: Settings, facts: HostFacts, *, is_made: bool) -> HostSize:
    gpus = facts.gpus if settings.host.hardware != "cpu" else None
    return HostSize(
        cpu_cores=facts.cpu_cores,
        memory_gb=facts.memory_gb,
        gpu_memory_gb=min((gpu.memory_gb for gpu in gpus), default=None) if gpus else None,
        disk_gb=None if is_made else facts.disk_free_gb,
    )
