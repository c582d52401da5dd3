"""Measures the check of large data files against a bare `json.loads` loop over the same lines.

Run with `python -m benchmarks.data_files` in the project's environment; needs 2 GB of disk. Each
figure comes from a process of its own, in turn. Prints a table and writes
`benchmarks/data_files_results.json`: seconds, their ratio, and the memory that the check needs.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stack_configs.settings.datasets import DatasetSettings

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "benchmarks/data_files_results.json"
ROWS = 1_000_000
ROUNDS = 5
MIB = 1024 * 1024


def alpaca() -> Iterator[dict[str, Any]]:
    """Rows of about 600 bytes: a question and its answer."""
    for number in range(ROWS):
        question = f"Explain what the step number {number} does. " * 5
        yield {"instruction": question, "input": "", "output": "It answers with some words. " * 12}


def sharegpt() -> Iterator[dict[str, Any]]:
    """Rows of about 600 bytes: conversations of six turns."""
    for number in range(ROWS):
        turns = [
            {"from": ("human", "gpt")[turn % 2], "value": f"Turn {turn} of conversation {number}. "}
            for turn in range(6)
        ]
        turns[-1]["value"] *= 8
        yield {"conversations": turns}


def main() -> None:
    """Every format in turn; each of its two programs one after the other, A B A B."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, rows, formatting in (
            ("alpaca.jsonl", alpaca, "alpaca"),
            ("alpaca.json", alpaca, "alpaca"),
            ("sharegpt.jsonl", sharegpt, "sharegpt"),
        ):
            path = Path(folder) / name
            write(path, rows)
            figures[name] = measure(path, formatting)
            path.unlink()
            row = figures[name]
            sys.stdout.write(
                f"{name:16} {row['MiB']:5.0f} MiB {row['check']:7.2f} s {row['json.loads']:7.2f} s "
                f"x{row['ratio']:.2f} {row['memory_mib']:5.0f} MiB of memory\n"
            )
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    document = {"machine": machine, "rows": ROWS, "files": figures}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")


def write(path: Path, rows: Callable[[], Iterator[dict[str, Any]]]) -> None:
    """One row per line, in a list where the name says so."""
    is_list = path.suffix == ".json"
    with path.open("w") as file:
        for number, row in enumerate(rows()):
            file.write("[" * is_list * (number == 0) + "," * is_list * (number > 0))
            file.write(json.dumps(row) + "\n")
        file.write("]" * is_list)


def measure(path: Path, formatting: str) -> dict[str, float]:
    """Medians of the two programs, of their ratios pair by pair, and the largest memory."""
    checks, loops, memory = [], [], 0.0
    for _ in range(ROUNDS):
        loops.append(run("loop", path, formatting)[0])
        seconds, peak = run("check", path, formatting)
        checks.append(seconds)
        memory = max(memory, peak)
    return {
        "MiB": path.stat().st_size / MIB,
        "check": statistics.median(checks),
        "json.loads": statistics.median(loops),
        "ratio": statistics.median(a / b for a, b in zip(checks, loops, strict=True)),
        "memory_mib": memory,
    }


def run(program: str, path: Path, formatting: str) -> tuple[float, float]:
    """Seconds and MiB of one of the two programs below, nothing being remembered."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.data_files", program, str(path), formatting],
            cwd=PROJECT,
            env={**os.environ, "XDG_CACHE_HOME": cache},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def loop(path: Path, _formatting: str) -> None:
    """The yardstick: every row parsed, and nothing else."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if text := line.strip("[],\n") if path.suffix == ".json" else line:
                json.loads(text)


def check(path: Path, formatting: str) -> None:
    """What an operator waits for when a data file is new."""
    document = {"name": "rows", "file": path.name, "formatting": formatting}
    settings = DatasetSettings.model_validate(document, context={"directory": path.parent})
    if settings.findings is None or settings.findings.rows != ROWS:
        raise SystemExit(f"{path} was not read")


def tell_one(program: str, path: str, formatting: str) -> None:
    """Run one program here, and say what it took."""
    began = time.perf_counter()
    {"loop": loop, "check": check}[program](Path(path), formatting)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{seconds} {peak}\n")


if __name__ == "__main__":
    tell_one(*sys.argv[1:]) if sys.argv[1:] else main()
