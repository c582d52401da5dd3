"""The rows of `make doctor` about the Docker engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from plan.host_grade import HostSize, describe_grade, grade_of
from toolchain.doctor_table import Mark, Row
from toolchain.engine import EngineAction, EngineFacts, choose_action, default_daemon, refusal
from toolchain.engine_api import EngineInfo, NoAnswerError, get_json
from toolchain.engine_choice import EngineChoice
from toolchain.offline.engine_daemon import running_pid
from toolchain.places import Places

GB = 1000**3

PLANS = {
    EngineAction.JOIN_GROUP: "it runs, but not for this user: setup joins the group docker",
    EngineAction.START_SERVICE: "installed, not running: setup starts it with systemctl",
    EngineAction.START_DAEMON: "installed, not running: setup starts dockerd",
    EngineAction.INSTALL: "setup installs docker.io with apt-get and starts it",
}


def engine_row(
    places: Places,
    choice: EngineChoice,
    info: EngineInfo | None,
    facts: Callable[[EngineChoice], EngineFacts],
) -> Row:
    """Describe the engine, or what would be done to get one."""
    if info is None:
        plan = PLANS.get(choose_action(facts(choice))) or refusal(choice)
        return Row("docker engine", Mark.MISSING, plan)
    address = f"{info.version} at {choice.host}"
    if choice.is_elsewhere:
        return Row("docker engine", Mark.THERE, f"{address} ({choice.chosen_by})")
    started = "by setup" if running_pid(default_daemon(places)) is not None else "by the host"
    free = ""
    if info.data_root.exists():
        free = f", {shutil.disk_usage(info.data_root).free / 1e9:.0f} GB free"
    detail = f"{address}, started {started}, data in {info.data_root}{free}"
    return Row("docker engine", Mark.THERE, detail)


def base_image_row(host: str, image: str, *, engine_answers: bool) -> Row:
    """Describe a base image."""
    plan = "setup pulls it, or makes it with debootstrap where no registry answers"
    if not engine_answers:
        return Row(f"image {image}", Mark.MISSING, f"no engine yet; {plan}")
    try:
        found = get_json(host, f"/images/{image}/json")
    except NoAnswerError:
        return Row(f"image {image}", Mark.MISSING, plan)
    return Row(f"image {image}", Mark.THERE, str(found.get("Id", ""))[:19])


def hardware_row(info: EngineInfo, gpu_memory: Sequence[int] | None) -> Row:
    """Describe the engine's host, as a preview judges it; a GPU only where there is one.

    `gpu_memory`: bytes of each, None where no driver here tells of them.
    """
    there = info.data_root.exists()
    size = HostSize(
        cpu_cores=info.cpu_cores,
        memory_gb=round(info.memory_bytes / GB, 1),
        gpu_memory_gb=round(min(gpu_memory) / GB, 1) if gpu_memory else None,
        disk_gb=round(shutil.disk_usage(info.data_root).free / GB, 1) if there else None,
    )
    return Row("hardware", Mark.THERE if grade_of(size) else Mark.OPTIONAL, describe_grade(size))


def gpu_row(info: EngineInfo | None, *, has_gpu: bool) -> Row:
    """Describe the way of a GPU into a container."""
    if info is not None and "nvidia" in info.runtimes:
        return Row("GPU runtime", Mark.THERE, "the engine has the NVIDIA runtime")
    if has_gpu:
        return Row(
            "GPU runtime",
            Mark.OPTIONAL,
            "there is an NVIDIA GPU, but the engine has no NVIDIA runtime: install the NVIDIA "
            "Container Toolkit to train on it",
        )
    return Row("GPU runtime", Mark.OPTIONAL, "no NVIDIA GPU here: CPU stacks only")
