"""One fault, one `up` after it, and what is judged then."""

import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from faults.client import Client
from faults.moment import Moment
from faults.table import Fault, Kind
from plan import paths
from tests.integration.stack import Stack

LISTING = (
    "cd {runs} && for each in *; do"
    " if test -e $each/{marker}; then echo whole $each; else echo half $each; fi; done"
)
SERVED = "stack-guide"
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Verdict:
    """What a fault led to; neither missed nor complained of is the outcome that is asked for."""

    fault: Fault
    missed: str
    """Why the fault did not happen in its phase; empty where it did."""
    complaints: tuple[str, ...]
    answered: int
    """Questions to the served model, from before the fault until it was healed."""
    seconds: float
    """Of the one `up` that heals."""


def small_stack(stack: Stack) -> None:
    """The demo with a short training, whose answers nobody judges."""
    stack.settings["board"] = {"enabled": False}
    stack.run["max_steps"] = 10
    stack.run["save_steps"] = 5
    del stack.model["ollama_model"]["smoke_prompts"]


def image_of(stack: Stack) -> str:
    """The image that looks into the volumes."""
    (image,) = (
        str(resource["outputs"]["imageName"])
        for resource in stack.resources()
        if resource["urn"].endswith("pipeline-images-llamafactory")
    )
    return image


def try_fault(client: Any, stack: Stack, fault: Fault, number: int) -> Verdict:
    """Make the step work anew, break it, run `up` once. `number` differs from trial to trial."""
    image = image_of(stack)
    before = artefacts(client, stack, image)
    if fault.step == "base-model":
        stack.model["base_model"]["generate"]["seed"] = 1000 + number
    else:
        stack.run["learning_rate"] = 0.003 + number / 1e6
    moment = Moment(client, stack.physical_name, fault, image)
    with Client(stack.outputs()["ollama_url"], SERVED) as asking:
        try:
            break_up(stack, fault, moment)
        finally:
            moment.close()
        began = time.monotonic()
        healing = stack.up()
        seconds = time.monotonic() - began
    complaints = [f"the served model did not answer: {each}" for each in asking.failures]
    if healing.returncode:
        complaints.append(f"up failed: {healing.output[-1500:]}")
    elif left := {word: n for word, n in stack.up().changes.items() if word != "same"}:
        complaints.append(f"a second up had something to do: {left}")
    after = artefacts(client, stack, image)
    complaints += [f"{name} is half-written" for name, whole in after.items() if not whole]
    complaints += [f"{name} is lost" for name in before if name not in after]
    return Verdict(fault, moment.missed, tuple(complaints), asking.answered, round(seconds, 1))


def break_up(stack: Stack, fault: Fault, moment: Moment) -> None:
    """One up, broken when the moment has come; only a killed CLI does not end by itself."""
    if fault.kind is Kind.CLI:
        # It fails an assertion where the up ends first, which the moment tells.
        with contextlib.suppress(AssertionError):
            stack.up_until(moment.has_come, then=signal.SIGKILL)
        return
    with ThreadPoolExecutor(1) as pool:
        broken = pool.submit(stack.up)
        while not broken.done() and not moment.has_come():
            time.sleep(LOOK_SECONDS)


def artefacts(client: Any, stack: Stack, image: str) -> dict[str, bool]:
    """Each folder of a step, and whether it is whole; one at work has no marker's say."""
    said = client.containers.run(
        image,
        ["sh", "-c", LISTING.format(runs=paths.RUNS, marker=paths.MARKER)],
        volumes={f"{stack.physical_name}-output": {"bind": str(paths.OUTPUT), "mode": "ro"}},
        network_mode="none",
        remove=True,
    )
    rows = (line.split() for line in said.decode().splitlines())
    return {name: word == "whole" and not name.endswith(paths.PARTIAL) for word, name in rows}
