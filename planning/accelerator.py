"""How the containers of a hardware variant reach its accelerators (F2, H3)."""

from plan.container import Accelerator
from plan.host import HostFacts
from stack_configs.settings.host import GpuSettings, HostSettings


def plan_accelerator(host: HostSettings) -> Accelerator:
    """What the hardware variant needs, as LLaMA-Factory's own compose files declare it (F2)."""
    match host.hardware:
        case "cuda":
            # The engine hands over all devices, which is the one value that the docker provider
            # documents; the variable narrows them down.
            return Accelerator(gpus="all", environment=_visible("CUDA_VISIBLE_DEVICES", host.gpu))
        case "rocm":
            return Accelerator(
                devices=("/dev/kfd", "/dev/dri"),
                groups=("video",),
                security_opts=("seccomp=unconfined",),
                environment=_visible("HIP_VISIBLE_DEVICES", host.gpu),
            )
        case "npu":
            if host.gpu.count == "all":
                raise AssertionError("the settings demand a number: there is a node per device")
            return Accelerator(
                devices=(
                    *(f"/dev/davinci{index}" for index in range(host.gpu.count)),
                    "/dev/davinci_manager",
                    "/dev/devmm_svm",
                    "/dev/hisi_hdc",
                ),
                host_mounts=(
                    "/usr/local/dcmi",
                    "/usr/local/bin/npu-smi",
                    "/usr/local/Ascend/driver",
                    "/etc/ascend_install.info",
                ),
                environment=_visible("ASCEND_RT_VISIBLE_DEVICES", host.gpu),
            )
        case "cpu":
            return Accelerator()


def _visible(variable: str, gpu: GpuSettings) -> dict[str, str]:
    if gpu.count == "all":
        return {}
    return {variable: ",".join(str(index) for index in range(gpu.count))}


def count_processes(host: HostSettings, facts: HostFacts) -> int | str:
    """Devices that train together on one host: more of them take larger steps."""
    if host.hardware == "cpu":
        return 1
    if host.gpu.count != "all":
        return host.gpu.count
    return len(facts.gpus) if facts.gpus else "all"
