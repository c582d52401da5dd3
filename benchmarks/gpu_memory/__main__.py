"""Asks PyTorch how much memory runs hold, and compares: `python -m benchmarks.gpu_memory track`.

Runs in a container of the newest LLaMA-Factory image on the engine, on a processor; needs no GPU
and little memory. Writes `benchmarks/gpu_memory/tracked.json`. Takes about ten minutes.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker

from benchmarks.gpu_memory.cases import TRACKED, Case
from benchmarks.gpu_memory.comparison import TRACKED_FILE, compare
from runtime.docker.archive import tar_stream

HERE = Path(__file__).parent
PLACE = "/root"
"""Of the programs, inside the container."""
REPOSITORY = "finetune-stack/llamafactory-cpu"


def main() -> None:
    """The command line."""
    if sys.argv[1:] != ["track"]:
        sys.exit("usage: python -m benchmarks.gpu_memory track")
    figures = {each["name"]: each["bytes"] for each in track(TRACKED)}
    TRACKED_FILE.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for comparison in compare():
        print(f"{comparison.error:+7.1%}  {comparison.case.name}: {comparison.estimate}")


def track(cases: Sequence[Case]) -> Iterator[Mapping[str, Any]]:
    """What the tracker says of each case: its name, and bytes by kind."""
    asked = [
        {"name": each.name, "configuration": each.configuration, "arguments": each.arguments}
        for each in cases
    ]
    files = {
        "tracked_peak.py": (HERE / "tracked_peak.py").read_bytes(),
        "cases.json": json.dumps(asked).encode(),
    }
    said = output_of(files, "python tracked_peak.py cases.json")
    # LLaMA-Factory has its say on the same stream.
    return (json.loads(line) for line in said.splitlines() if line.startswith('{"name"'))


def output_of(files: Mapping[str, bytes], command: str) -> str:
    """What a container of the image prints, that was given these files."""
    client = docker.from_env(timeout=3600)
    images = client.images.list(REPOSITORY)
    if not images:
        sys.exit(f"no image {REPOSITORY} on the engine: an up of the demo builds it")
    newest = max(images, key=lambda image: image.attrs["Created"])
    container = client.containers.create(
        str(newest.id),
        ["sh", "-ec", command],
        working_dir=PLACE,
        network_mode="none",
        environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        container.put_archive(PLACE, b"".join(tar_stream(files)))
        container.start()
        if container.wait()["StatusCode"]:
            sys.exit(container.logs(tail=40).decode())
        return bytes(container.logs(stderr=False)).decode()
    finally:
        container.remove(force=True)


if __name__ == "__main__":
    main()
