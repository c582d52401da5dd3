"""A service that must answer before anything is built on it.

One that exits is told at once, with its last words; the engine would start it again for ever. One
that was stopped by hand is started again, and so is one that a preloaded library helps.
"""

import time
from collections.abc import Mapping
from typing import Any

from plan import labels, paths
from plan.step import Request, ServiceStartStep
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.execution import execute
from runtime.docker.follow import read_log
from runtime.failure import MissingError, StepError
from runtime.program import say
from runtime.progress.diagnosis import diagnose, ran_out_of_static_tls
from runtime.progress.progress import QUIET_SECONDS, clean, duration, mask
from runtime.steps.gpu_memory import has_made_room

KIND = ServiceStartStep
PROBE_SECONDS = 10.0
LOOK_SECONDS = 0.3
LOG_TAIL = 200
LAST_WORDS = 5
ENDED = ("exited", "created")


def converge(request: Request[ServiceStartStep]) -> Mapping[str, str]:
    """Return once the service answers.

    Raises `StepError` when it is gone, when it exits, and when it has not answered in time.
    """
    engine, step = Engine(request.engine), request.step
    state = _state(engine, step)
    if _has_made_room(engine, request):
        return _made_room(step)
    if state["Status"] in ENDED:
        # The engine starts a service that ends by itself again: this one was told to stop.
        say(f"{step.title}: it was stopped; starting it")
        containers.start(engine, step.name, step.name)
    began = said = time.monotonic()
    may_preload = step.preloads
    while not _answers(engine, step):
        state, now = _state(engine, step), time.monotonic()
        if _has_made_room(engine, request):
            return _made_room(step)
        if _has_failed(state) and may_preload and ran_out_of_static_tls(_log(engine, step)):
            may_preload = False
            say(
                f"{step.title}: the static TLS block is exhausted: once more with libgomp preloaded"
            )
            _preload(engine, step)
        elif _has_failed(state):
            raise StepError(_failure(engine, step, state))
        if now - began > step.deadline_seconds:
            raise StepError(_overdue(engine, step))
        if now - said > QUIET_SECONDS:
            said = now
            say(f"{step.title}: does not answer yet after {duration(now - began)}")
        time.sleep(LOOK_SECONDS)
    return {"container": step.name}


def delete(_request: Request[ServiceStartStep]) -> Mapping[str, str]:
    """Nothing: the container is the provider's."""
    return {}


def _has_made_room(engine: Engine, request: Request[ServiceStartStep]) -> bool:
    own = containers.list_containers(engine, f"{labels.STACK}={request.owner.stack}")
    return any(
        has_made_room(container, own, request.owner)
        for container in own
        if containers.name_of(container) == request.step.name
    )


def _made_room(step: ServiceStartStep) -> Mapping[str, str]:
    say(f"{step.title}: it is stopped while a model trains, and starts again after that")
    return {"container": step.name}


def _answers(engine: Engine, step: ServiceStartStep) -> bool:
    try:
        return execute(engine, step.name, step.probe, seconds=PROBE_SECONDS).exit_code == 0
    except StepError:
        # It does not run; its state says why.
        return False


def _state(engine: Engine, step: ServiceStartStep) -> Mapping[str, Any]:
    try:
        found = containers.inspect(engine, step.name)
    except MissingError as error:
        raise StepError(
            f"container {step.name} is gone. Run `pulumi up --refresh`, which makes it again"
        ) from error
    return {**found["State"], "RestartCount": found["RestartCount"]}


def _has_failed(state: Mapping[str, Any]) -> bool:
    """Whether it ended after it was started, also where the engine has started it again."""
    return state["Status"] in ("exited", "dead", "restarting") or bool(state["RestartCount"])


def _preload(engine: Engine, step: ServiceStartStep) -> None:
    """Started again by hand, it has been started for the first time."""
    containers.stop(engine, step.name)
    archive.put_files(engine, step.name, str(paths.OUTPUT), {paths.PRELOAD.name: b""})
    containers.start(engine, step.name, step.name)


def _failure(engine: Engine, step: ServiceStartStep, state: Mapping[str, Any]) -> str:
    log = _log(engine, step)
    found = diagnose(
        log,
        failed=step.settings,
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
    )
    # One that the engine has started again has no exit code any more.
    how = "again and again" if state["Status"] == "running" else f"(exit code {state['ExitCode']})"
    return (
        f"container {step.name} ended {how}: {found}\n"
        f"  It is configured in {step.settings}. Its log: docker logs {step.name}"
    )


def _overdue(engine: Engine, step: ServiceStartStep) -> str:
    last = _log(engine, step, lines=LAST_WORDS)
    words = "\n".join(f"    | {line}" for line in last.strip().splitlines())
    return (
        f"container {step.name} runs and does not answer after "
        f"{duration(step.deadline_seconds)}. Its last words:\n{words}\n"
        f"  It is configured in {step.settings}. Its log: docker logs {step.name}"
    )


def _log(engine: Engine, step: ServiceStartStep, *, lines: int = LOG_TAIL) -> str:
    """The end of its log, without the secrets that its environment holds."""
    environment = containers.inspect(engine, step.name)["Config"]["Env"] or ()
    given = dict(entry.partition("=")[::2] for entry in environment)
    secrets = [given[name] for name in step.secret_environment if name in given]
    return mask(clean(read_log(engine, step.name, lines=lines)), secrets)
