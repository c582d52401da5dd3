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
from functools import partial
from pathlib import Path

from benchmarks.by_hand import remove, run_by_hand, training_results
from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings
from tests.integration.stack import PROJECT, Stack

ROUNDS = 2
NOTHING_TO_DO_ROUNDS = 7
TRAINING_ROUNDS = 1
TRAINING_STEPS = 400
"""Enough for the trainer's own figure to settle; the demo's 60 steps take five seconds."""

Ratios = dict[str, dict[str, float]]


def main() -> None:
    """Runs everything in turn, A B A B, so that a machine that slows down slows both."""
    ratios: Ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home")
        try:
            steps = measure_up(stack, ratios)
            measure_training(stack, ratios)
            measure_nothing_to_do(stack, ratios, Path(folder) / "five")
        finally:
            stack.abandon()
    tell(ratios, steps)


def measure_up(stack: Stack, ratios: Ratios) -> dict[str, float]:
    """The whole demo, its images being there; what each step takes by hand (s)."""
    ours, theirs, steps = [], [], {}
    for _ in range(ROUNDS):
        ours.append(up(stack))
        stack.destroy()
        steps = by_hand(stack)[0]
        theirs.append(sum(steps.values()))
    ratios["demo up / by hand (s)"] = compare(ours, theirs)
    return steps


def measure_training(stack: Stack, ratios: Ratios) -> None:
    """The trainer's own figure for a longer run, with no web UI starting beside it."""
    changed = {"max_steps": TRAINING_STEPS, "save_steps": TRAINING_STEPS}
    before = {key: stack.run[key] for key in changed}
    board, stack.settings["board"] = stack.settings["board"], {"enabled": False}
    stack.run.update(changed)
    ours, theirs = [], []
    for _ in range(TRAINING_ROUNDS):
        up(stack)
        (results,) = stack.outputs()["training_results"].values()
        ours.append(results["train_samples_per_second"])
        stack.destroy()
        theirs.append(by_hand(stack)[1]["train_samples_per_second"])
    ratios["training / by hand (samples per second)"] = compare(ours, theirs)
    stack.run.update(before)
    stack.settings["board"] = board


def measure_nothing_to_do(stack: Stack, ratios: Ratios, home: Path) -> None:
    """What an operator waits for when nothing has changed."""
    up(stack)
    with FiveResources(home) as five:
        for word in ("up", "preview"):
            ours, theirs = [], []
            for _ in range(NOTHING_TO_DO_ROUNDS):
                ours.append(seconds_of(partial(stack.nothing_to_do, word)))
                theirs.append(seconds_of(partial(five.pulumi, word)))
            ratios[f"{word} with nothing to do / five resources (s)"] = compare(ours, theirs)


def up(stack: Stack) -> float:
    """Seconds of one up, which must succeed."""
    update = stack.up()
    if update.returncode != 0:
        raise SystemExit(update.output)
    return update.seconds


def by_hand(stack: Stack) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each step by hand, and the figures of its training; nothing of it stays."""
    plan = by_hand_plan(stack)
    try:
        return run_by_hand(plan), training_results(plan)
    finally:
        remove(plan)


def by_hand_plan(stack: Stack) -> PipelinePlan:
    """The stack's own plan under another name, on the same ports: the two never run at once."""
    stack.write_settings()
    settings = load_settings(stack.home / "settings.yaml")
    return plan_pipeline(settings, owner=Owner(stack="by-hand"), facts=HostFacts())


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


def tell(ratios: dict[str, dict[str, float]], steps: dict[str, float]) -> None:
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
