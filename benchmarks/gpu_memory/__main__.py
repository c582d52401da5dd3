"""Asks PyTorch how much memory runs hold, and compares that with the estimate.

`python -m benchmarks.gpu_memory track` counts the storages of fake tensors, in a container of the
newest LLaMA-Factory image for processors: no GPU, little memory, about ten minutes. It writes
`benchmarks/gpu_memory/tracked.json`.

`python -m benchmarks.gpu_memory measure` trains on the engine's first GPU, in the newest image for
CUDA: models of random weights, no download, 20 GB of disk for each. It writes
`benchmarks/gpu_memory/measured.json`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.types import DeviceRequest

from benchmarks.gpu_memory.cases import MEASURED, TRACKED, Case
from benchmarks.gpu_memory.comparison import MEASURED_FILE, TRACKED_FILE, measured, tracked
from runtime.docker.archive import tar_stream

HERE = Path(__file__).parent
PLACE = "/root"
"""Of the programs, inside the container."""


def main() -> None:
    """The command line."""
    match sys.argv[1:]:
        case ["track"]:
            write(TRACKED_FILE, track(list(map(asked, TRACKED))))
            comparisons = list(tracked())
        case ["measure"]:
            write(MEASURED_FILE, measure(list(map(asked, MEASURED)), hardware="cuda"))
            comparisons = list(measured())
        case _:
            sys.exit("usage: python -m benchmarks.gpu_memory track|measure")
    for comparison in comparisons:
        print(f"{comparison.error:+7.1%}  {comparison.case.name}: {comparison.case.estimate}")


def write(file: Path, figures: Sequence[Mapping[str, Any]]) -> None:
    """Keep the figures, by the name of their case."""
    content = {each["name"]: {key: each[key] for key in each if key != "name"} for each in figures}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def asked(case: Case) -> dict[str, Any]:
    """A case as the programs in the container take it."""
    return {
        "name": case.name,
        "model": case.model,
        "configuration": case.configuration,
        "arguments": case.arguments,
    }


def track(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the tracker says of each case: its name, and bytes by kind."""
    return run("tracked_peak.py", "python tracked_peak.py cases.json", cases, hardware="cpu")


def measure(cases: Sequence[Mapping[str, Any]], *, hardware: str) -> list[dict[str, Any]]:
    """What a real training of each case held, or why it failed."""
    command = "mkdir models; python measured_peak.py cases.json models"
    return run("measured_peak.py", command, cases, hardware=hardware)


def run(
    program: str, command: str, cases: Sequence[Mapping[str, Any]], *, hardware: str
) -> list[dict[str, Any]]:
    """The lines of JSON that a program of this folder prints for cases."""
    files = {program: (HERE / program).read_bytes(), "cases.json": json.dumps(cases).encode()}
    said = output_of(files, command, hardware=hardware)
    # LLaMA-Factory has its say on the same stream.
    return [json.loads(line) for line in said.splitlines() if line.startswith('{"name"')]


def output_of(files: Mapping[str, bytes], command: str, *, hardware: str) -> str:
    """What a container of the newest image for this hardware prints, that was given these files."""
    client, repository = docker.from_env(timeout=3600), f"finetune-stack/llamafactory-{hardware}"
    images = client.images.list(repository)
    if not images:
        sys.exit(f"no image {repository} on the engine: an up on such a host builds it")
    gpus = [] if hardware == "cpu" else [DeviceRequest(count=1, capabilities=[["gpu"]])]
    container = client.containers.create(
        str(max(images, key=lambda image: image.attrs["Created"]).id),
        ["sh", "-ec", command],
        working_dir=PLACE,
        network_mode="none",
        environment={"HF_HUB_OFFLINE": "1"} | ({} if gpus else {"OMP_NUM_THREADS": "1"}),
        device_requests=gpus,
    )
    try:
        container.put_archive(PLACE, b"".join(tar_stream(files)))
        container.start()
        if container.wait()["StatusCode"]:
            sys.exit(container.logs(tail=40).decode())
        return bytes(container.logs(stderr=False)).decode()
    finally:
        container.remove(force=True, v=True)


if __name__ == "__main__":
    main()
