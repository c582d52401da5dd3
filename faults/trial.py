"""One fault, one `up` after it, and what is judged then."""

import re
import signal
import subprocess
import time
from dataclasses import dataclass
from os import kill
from typing import Any

from faults.client import Client
from faults.damage import damage
from faults.judge import artefacts, judge
from faults.moment import Moment
from faults.serving_moment import ServingMoment
from faults.table import DAMAGES, SERVING, Fault, Kind
from tests.integration.session import kill_session, processes_of
from tests.integration.stack import UP_SECONDS, Stack, Update

SERVED = "stack-guide:latest"
STRIKING = (Kind.CONTAINER, Kind.STOP, Kind.SERVER, Kind.SERVER_STOP)
"""What breaks is the container itself."""

LOOK_SECONDS = 0.02
TRIES = 3
"""A phase that cannot be held is missed now and then: then the fault is tried anew."""

SAID = re.compile(r"(?:; |^ +)([^;:\n]+): (attached|resumes|started)\b", re.MULTILINE)
"""What a step says of how it begins."""


@dataclass(frozen=True)
class Verdict:
    """What a fault led to; neither missed nor complained of is the outcome that is asked for."""

    missed: str
    """Why the fault did not happen in its phase; empty where it did."""
    complaints: tuple[str, ...]
    healing: tuple[str, ...]
    """What the one `up` after it did, as the steps say it."""
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
    """The image that looks into the volumes, and holds steps."""
    (image,) = (
        str(resource["outputs"]["imageName"])
        for resource in stack.resources()
        if resource["urn"].endswith("pipeline-images-llamafactory")
    )
    return image


def try_fault(client: Any, stack: Stack, fault: Fault, number: int) -> Verdict:
    """Make the step work anew, break it, run `up` once. `number` differs from trial to trial."""
    for attempt in range(TRIES):
        verdict = _try_once(client, stack, fault, number * TRIES + attempt + 1)
        if not verdict.missed:
            break
    return verdict


def _try_once(client: Any, stack: Stack, fault: Fault, number: int) -> Verdict:
    image = image_of(stack)
    whole = artefacts(client, stack, image)
    with Client(stack.outputs()["ollama_url"], SERVED) as asking:
        if fault.kind in DAMAGES:
            missed = ""
            damage(client, stack, fault, image, whole)
            healing = stack.up()
        else:
            _change(stack, fault, number)
            make = ServingMoment if fault.step is SERVING else Moment
            missed, healing = break_up(stack, fault, make(client, stack, fault, image))
    if healing.returncode:
        complaints = [f"up failed: {healing.output[-1500:]}"]
    else:
        after = artefacts(client, stack, image)
        complaints = list(judge(stack, SERVED, whole=whole, after=after))
    if not fault.stops_serving:
        complaints += [f"the served model did not answer: {each}" for each in asking.failures]
    said = dict.fromkeys(f"{step} {how}" for step, how in SAID.findall(healing.output))
    return Verdict(missed, tuple(complaints), tuple(said), asking.answered, healing.seconds)


def _change(stack: Stack, fault: Fault, number: int) -> None:
    """Let the step that is to break, and all after it, have work that was never done before."""
    if fault.step is SERVING:
        stack.model["ollama_model"]["parameters"]["temperature"] = number / 1e4
    elif fault.step.name == "base-model":
        stack.model["base_model"]["generate"]["seed"] = 1000 + number
    else:
        stack.run["learning_rate"] = 0.003 + number / 1e6


def break_up(stack: Stack, fault: Fault, moment: Moment | ServingMoment) -> tuple[str, Update]:
    """One up, broken when the moment has come, and one that heals.

    Why the fault was not in its phase, if it was not; and what the healing came to.
    """
    process = stack.begin_up()
    try:
        try:
            missed = _break(stack, process, fault, moment)
        finally:
            moment.release()
        # A killed CLI cannot take back its lock; there is nothing to take back after the others.
        stack.take_back_lock()
        return missed, stack.up()
    finally:
        # Only now: what a CLI alone leaves behind goes on beside the up that heals.
        kill_session(process.pid)


def _break(
    stack: Stack, process: subprocess.Popen[str], fault: Fault, moment: Moment | ServingMoment
) -> str:
    deadline = time.monotonic() + UP_SECONDS
    while not moment.has_come():
        if process.poll() is not None or time.monotonic() > deadline:
            kill_session(process.pid)
            return "the up ended before this phase was seen"
        time.sleep(LOOK_SECONDS)
    missed = moment.missed if fault.kind in STRIKING else ""
    match fault.kind:
        case Kind.CLI:
            kill_session(process.pid)
            missed = moment.missed
        case Kind.CLI_ALONE:
            process.kill()
            missed = moment.missed
        case Kind.PROGRAM:
            programs = _programs(process.pid, fault)
            for program in programs:
                kill(program, signal.SIGKILL)
            # Without its program the up ends by itself.
            process.wait(UP_SECONDS)
            missed = moment.missed if programs else "its program had ended"
        case Kind.SECOND_UP:
            second = stack.up()
            missed = moment.missed
            if not second.returncode:
                missed = "the second up was let in"
            moment.release()
        case _ if not missed:
            moment.strike(at_once=fault.kind in (Kind.CONTAINER, Kind.SERVER))
    process.wait(UP_SECONDS)
    return missed


def _programs(session: int, fault: Fault) -> list[int]:
    words = ["-m", "runtime", fault.step.program, "converge"]
    return [process.id for process in processes_of(session) if process.command[1:] == words]
