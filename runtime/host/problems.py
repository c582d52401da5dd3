"""What a host lacks for a stack: pure judgement over facts, all problems at once."""

from collections.abc import Iterator
from pathlib import Path

from plan.host import HostMinimum, HostQuestions
from plan.problem import Problem
from runtime.docker.containers import name_of
from runtime.host.snapshot import GB, Snapshot

NVIDIA_DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
"""Any of these tells of a driver; the last one under WSL."""
CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")
NVIDIA_HOOKS = ("/usr/bin/nvidia-container-runtime-hook", "/usr/bin/nvidia-container-toolkit")
DEVICE_NODES = {
    "rocm": ("/dev/kfd", "the AMD GPU driver", "Install the amdgpu driver with ROCm support"),
    "npu": ("/dev/davinci_manager", "the Ascend driver", "Install Huawei's Ascend driver"),
}


def size_problems(snapshot: Snapshot, minimum: HostMinimum) -> Iterator[Problem]:
    """Too few cores, too little memory."""
    cores, memory = snapshot.info.get("NCPU", 0), snapshot.info.get("MemTotal", 0) / GB
    if minimum.cpu_cores is not None and cores < minimum.cpu_cores:
        found = f"the engine's host has {cores} CPU cores"
        yield _too_little("cpu_cores", f"{minimum.cpu_cores}", found)
    if minimum.memory_gb is not None and memory < minimum.memory_gb:
        found = f"the engine's host has {memory:.1f} GB of memory"
        yield _too_little("memory_gb", f"{minimum.memory_gb:g}", found)


def hardware_problems(
    snapshot: Snapshot, hardware: str, *, is_local: bool, files: Path = Path("/")
) -> Iterator[Problem]:
    """A GPU that containers could not reach. `files` is where the host's files begin."""

    def there(path: str) -> bool:
        return (files / path.lstrip("/")).exists()

    if hardware == "cuda":
        yield from _nvidia_problems(snapshot, is_local=is_local, files=files)
    elif hardware in DEVICE_NODES and is_local:
        node, driver, way_out = DEVICE_NODES[hardware]
        if not there(node):
            yield Problem(
                "host.hardware",
                hardware,
                f"{driver} makes {node}, which is not on this host",
                f"{way_out}, or set host.hardware to what this host has",
            )


def _nvidia_problems(snapshot: Snapshot, *, is_local: bool, files: Path) -> Iterator[Problem]:
    def some(paths: tuple[str, ...]) -> bool:
        return any((files / path.lstrip("/")).exists() for path in paths)

    if is_local and not some(NVIDIA_DRIVER):
        yield Problem(
            "host.hardware",
            "cuda",
            "no NVIDIA driver is loaded on this host",
            "Install the driver until nvidia-smi shows the GPU, or set host.hardware to "
            "what this host has (cpu, rocm, npu)",
        )
    has_cdi = any(device.startswith("nvidia.com/gpu") for device in snapshot.cdi_devices) or (
        is_local
        and any(
            "nvidia" in spec.name
            for folder in CDI_FOLDERS
            for spec in (files / folder.lstrip("/")).glob("*")
        )
    )
    if "nvidia" in snapshot.runtimes or has_cdi or (is_local and some(NVIDIA_HOOKS)):
        return
    yield Problem(
        "host.hardware",
        "cuda",
        "the engine has no nvidia runtime, so that no container can reach a GPU",
        "Install the NVIDIA Container Toolkit on the engine's host, run "
        "`nvidia-ctk runtime configure --runtime=docker` and restart Docker",
    )


def ownership_problems(snapshot: Snapshot, questions: HostQuestions) -> Iterator[Problem]:
    """Things with the stack's names that the stack did not make."""
    owner = questions.owner
    for kind, names, there in (
        ("volume", questions.volumes, snapshot.volumes),
        ("network", questions.networks, snapshot.networks),
        ("container", questions.containers, {name_of(c): c for c in snapshot.containers}),
    ):
        for name in names:
            if name in there and not owner.owns(there[name].get("Labels")):
                removal = f"docker {kind} rm {name}"
                yield Problem(
                    f"{kind} name",
                    name,
                    f"a {kind} of that name is there, and stack {owner.stack} did not make it",
                    f"Remove it if nobody needs it ({removal}), or give the stack another name",
                )


def _too_little(name: str, value: str, found: str) -> Problem:
    return Problem(
        f"host.minimum.{name}",
        value,
        found,
        "Take a larger host, or lower the minimum if this stack needs less",
    )
