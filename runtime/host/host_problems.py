"""What a host lacks for a stack: pure judgement over facts, all problems at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.docker.containers import STACK_LABEL, Summary
from runtime.host.host_facts import GB, HostFacts

NVIDIA_DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
"""Any of these tells of a driver; the last one under WSL."""
CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")
NVIDIA_HOOKS = ("/usr/bin/nvidia-container-runtime-hook", "/usr/bin/nvidia-container-toolkit")
DEVICE_NODES = {
    "rocm": ("/dev/kfd", "the AMD GPU driver", "Install the amdgpu driver with ROCm support"),
    "npu": ("/dev/davinci_manager", "the Ascend driver", "Install Huawei's Ascend driver"),
}


@dataclass(frozen=True, kw_only=True)
class HostProblem:
    """One thing to put right, as the settings' problems are told."""

    key: str
    value: str
    rule: str
    way_out: str


def size_problems(
    facts: HostFacts, minimum: Mapping[str, float], *, work_left: bool
) -> Iterator[HostProblem]:
    """Too few cores, too little memory, too little room for what is still to be made."""
    cores, memory = facts.info.get("NCPU", 0), facts.info.get("MemTotal", 0) / GB
    least = minimum["cpu_cores"]
    if cores < least:
        yield _too_little("cpu_cores", f"{least:g}", f"the engine's host has {cores} CPU cores")
    least = minimum["memory_gb"]
    if memory < least:
        yield _too_little(
            "memory_gb", f"{least:g}", f"the engine's host has {memory:.1f} GB of memory"
        )
    least = minimum["disk_gb"]
    # A finished stack has used its room: it must not be refused for that.
    if work_left and facts.disk_free is not None and facts.disk_free < least * GB:
        root = facts.info.get("DockerRootDir")
        yield _too_little(
            "disk_gb",
            f"{least:g}",
            f"{facts.disk_free / GB:.1f} GB are free at the engine's data root {root}",
        )


def hardware_problems(
    facts: HostFacts, hardware: str, *, is_local: bool, files: Path = Path("/")
) -> Iterator[HostProblem]:
    """A GPU that containers could not reach. `files` is where the host's files begin."""

    def there(path: str) -> bool:
        return (files / path.lstrip("/")).exists()

    if hardware == "cuda":
        yield from _nvidia_problems(facts, is_local=is_local, files=files)
    elif hardware in DEVICE_NODES and is_local:
        node, driver, way_out = DEVICE_NODES[hardware]
        if not there(node):
            yield HostProblem(
                key="host.hardware",
                value=hardware,
                rule=f"{driver} makes {node}, which is not on this host",
                way_out=f"{way_out}, or set host.hardware to what this host has",
            )


def _nvidia_problems(facts: HostFacts, *, is_local: bool, files: Path) -> Iterator[HostProblem]:
    def some(paths: tuple[str, ...]) -> bool:
        return any((files / path.lstrip("/")).exists() for path in paths)

    if is_local and not some(NVIDIA_DRIVER):
        yield HostProblem(
            key="host.hardware",
            value="cuda",
            rule="no NVIDIA driver is loaded on this host",
            way_out="Install the driver until nvidia-smi shows the GPU, or set host.hardware to "
            "what this host has (cpu, rocm, npu)",
        )
    has_cdi = any(device.startswith("nvidia.com/gpu") for device in facts.cdi_devices) or (
        is_local
        and any(
            "nvidia" in spec.name
            for folder in CDI_FOLDERS
            for spec in (files / folder.lstrip("/")).glob("*")
        )
    )
    if "nvidia" in facts.runtimes or has_cdi or (is_local and some(NVIDIA_HOOKS)):
        return
    yield HostProblem(
        key="host.hardware",
        value="cuda",
        rule="the engine has no nvidia runtime, so that no container can reach a GPU",
        way_out="Install the NVIDIA Container Toolkit on the engine's host, run "
        "`nvidia-ctk runtime configure --runtime=docker` and restart Docker",
    )


def ownership_problems(
    facts: HostFacts, *, stack: str, volumes: list[str], networks: list[str], containers: list[str]
) -> Iterator[HostProblem]:
    """Things with the stack's names that the stack did not make."""
    for kind, names, there in (
        ("volume", volumes, facts.volumes),
        ("network", networks, facts.networks),
    ):
        for name in names:
            found = there.get(name)
            if found is not None and (found.get("Labels") or {}).get(STACK_LABEL) != stack:
                yield _foreign(kind, name, stack, f"docker {kind} rm {name}")
    for name in containers:
        for container in facts.containers:
            if name in container_names(container) and not is_ours(container, stack):
                yield _foreign("container", name, stack, f"docker rm -f {name}")


def container_names(container: Summary) -> list[str]:
    """The names of a listed container."""
    return [str(name).lstrip("/") for name in container.get("Names") or ()]


def is_ours(container: Summary, stack: str) -> bool:
    """Whether the stack made a listed container."""
    labels: Mapping[str, Any] = container.get("Labels") or {}
    return labels.get(STACK_LABEL) == stack


def _too_little(name: str, value: str, found: str) -> HostProblem:
    return HostProblem(
        key=f"host.minimum.{name}",
        value=value,
        rule=found,
        way_out="Take a larger host, or lower the minimum if this stack needs less",
    )


def _foreign(kind: str, name: str, stack: str, removal: str) -> HostProblem:
    return HostProblem(
        key=f"{kind} name",
        value=name,
        rule=f"a {kind} of that name is there, and stack {stack} did not make it",
        way_out=f"Remove it if nobody needs it ({removal}), or give the stack another name",
    )
