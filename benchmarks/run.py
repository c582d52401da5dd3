"""Measures the stack against the same work done by hand, in one run on one machine, as ratios.

`make up` must have built the images. Run with `python -m benchmarks.run` in the project's
environment (`make env`); prints a table and writes `benchmarks/results.json`.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.by_hand import remove, run_by_hand, training_results
from components.planning.pipeline import PipelinePlan, plan_pipeline
from stack_configs.loader import load_settings
from tests.integration.stack import PROJECT, Stack

ROUNDS = 3
NOTHING_TO_DO_ROUNDS = 7


def main() -> None:
    """Runs everything in turn, A B A B, so that a machine that slows down slows both."""
    ratios: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home")
        plan = by_hand_plan(stack)
        stack_seconds, hand_seconds, stack_speed, hand_speed = [], [], [], []
        steps: dict[str, float] = {}
        for _ in range(ROUNDS):
            update = stack.up()
            if update.returncode != 0:
                raise SystemExit(update.output)
            stack_seconds.append(update.seconds)
            (results,) = stack.outputs()["training_results"].values()
            stack_speed.append(results["train_samples_per_second"])
            stack.destroy()
            try:
                steps = run_by_hand(plan)
                hand_seconds.append(sum(steps.values()))
                hand_speed.append(training_results(plan)["train_samples_per_second"])
            finally:
                remove(plan)
        ratios["demo up / by hand (s)"] = compare(stack_seconds, hand_seconds)
        ratios["training, samples per second"] = compare(stack_speed, hand_speed)
        stack.up()
        with FiveResources(Path(folder) / "five") as five:
            for word in ("up", "preview"):
                ours, theirs = [], []
                for _ in range(NOTHING_TO_DO_ROUNDS):
                    ours.append(seconds_of(lambda word=word: stack.nothing_to_do(word)))
                    theirs.append(seconds_of(lambda word=word: five.pulumi(word)))
                ratios[f"{word} with nothing to do / five resources (s)"] = compare(ours, theirs)
        stack.destroy()
    report(ratios, steps)


def by_hand_plan(stack: Stack) -> PipelinePlan:
    """The stack's own plan under another name, on the same ports: the two never run at once."""
    stack.write_settings()
    return plan_pipeline(load_settings(stack.home / "settings.yaml"), stack="by-hand")


def compare(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Medians, and the median of the ratios taken pair by pair."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "stack": statistics.median(ours),
        "yardstick": statistics.median(theirs),
        "ratio": statistics.median(pairs),
    }


def seconds_of(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


class FiveResources:
    """The yardstick program, up while the block lasts."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{home}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.config = home / "Pulumi.bench.yaml"
        self.config.write_text("config: {}\n")

    def __enter__(self) -> "FiveResources":
        self._run("stack", "init", "bench")
        (PROJECT / "benchmarks/five_resources/Pulumi.bench.yaml").unlink(missing_ok=True)
        self.pulumi("up")
        return self

    def __exit__(self, *_: object) -> None:
        self.pulumi("destroy")

    def pulumi(self, word: str) -> None:
        """One pulumi command on the yardstick."""
        skip = [] if word == "preview" else ["--yes", "--skip-preview"]
        self._run(word, *skip, "--stack", "bench", "--config-file", str(self.config))

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=PROJECT / "benchmarks/five_resources",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)


def report(ratios: dict[str, dict[str, float]], steps: dict[str, float]) -> None:
    """The table on the terminal, the figures beside this file."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    (PROJECT / "benchmarks/results.json").write_text(
        json.dumps({"machine": machine, "ratios": ratios, "by_hand_steps": steps}, indent=2) + "\n"
    )
    for name, row in ratios.items():
        line = f"{name:55} {row['stack']:8.2f} {row['yardstick']:8.2f}  x{row['ratio']:.3f}\n"
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
