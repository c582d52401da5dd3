"""GPU memory that serving holds, given to a training run for its time (T5)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plan import labels
from plan.gpu_memory import GpuMemoryHolder
from plan.owner import Owner
from runtime.docker import containers
from runtime.docker.containers import Summary
from runtime.docker.engine import Engine
from runtime.docker.execution import execute
from runtime.failure import MissingError, StepError
from runtime.program import Interrupted, say

EXEC_SECONDS = 30.0
UNLOAD_SECONDS = 60.0
"""An answer that is being given is let end first."""
LOOK_SECONDS = 0.5


@contextmanager
def freed(engine: Engine, holders: Sequence[GpuMemoryHolder], *, title: str) -> Iterator[None]:
    """Free the GPUs of what serves while the body runs; the servers that were stopped come back.

    Not after `Interrupted`: the run goes on without its caller, and needs its room until an `up`
    that attaches to it has seen it end. No failure to free memory fails the run, which may fit
    beside it.
    """
    for holder in holders:
        _release(engine, holder, title)
    try:
        yield
    except Interrupted:
        raise
    except BaseException:
        resume(engine, holders, title=title)
        raise
    resume(engine, holders, title=title)


def resume(engine: Engine, holders: Sequence[GpuMemoryHolder], *, title: str) -> None:
    """Start what a run has stopped, this one or one whose caller went away. Says so, if anything.

    Ollama needs nothing: it loads a model when somebody asks.
    """
    for holder in holders:
        if holder.release != "stop" or _is_running(engine, holder.container) is not False:
            continue
        try:
            containers.start(engine, holder.container, holder.container)
        except StepError as error:
            say(f"{title}: {error}")
        else:
            say(f"{title}: {holder.container} starts again")


def has_made_room(service: Summary, found: Sequence[Summary], owner: Owner) -> bool:
    """Whether a listed service was stopped for a training that is at work or about to be.

    `found` are the containers of the engine, the owner's at least.
    """
    if service["State"] != "exited" or labels.MAKES_ROOM not in (service.get("Labels") or {}):
        return False
    own = [container for container in found if owner.owns(container.get("Labels"))]
    return any(
        labels.ACCELERATOR in container["Labels"] and container["State"] != "exited"
        for container in own
    )


def _release(engine: Engine, holder: GpuMemoryHolder, title: str) -> None:
    if not _is_running(engine, holder.container):
        return
    try:
        if holder.release == "stop":
            containers.stop(engine, holder.container)
            say(f"{title}: {holder.container} is stopped for the time of the run")
        else:
            _unload(engine, holder.container, title)
    except StepError as error:
        say(f"{title}: the GPU memory of {holder.container} could not be freed ({error})")


def _unload(engine: Engine, server: str, title: str) -> None:
    """Let an Ollama server unload its models, and wait until it has."""
    loaded = _loaded(engine, server)
    for model in loaded:
        execute(engine, server, ["ollama", "stop", model], seconds=EXEC_SECONDS)
    waited_until = time.monotonic() + UNLOAD_SECONDS
    while still := _loaded(engine, server):
        if time.monotonic() > waited_until:
            say(f"{title}: {server} goes on using {', '.join(still)}; the run gets what is left")
            return
        time.sleep(LOOK_SECONDS)
    if loaded:
        say(f"{title}: {server} has unloaded {', '.join(loaded)}, until somebody asks again")


def _loaded(engine: Engine, server: str) -> list[str]:
    """The models that an Ollama server has in memory."""
    listed = execute(engine, server, ["ollama", "ps"], seconds=EXEC_SECONDS)
    if listed.exit_code:
        raise StepError(f"`ollama ps` failed: {listed.errors.strip()}")
    return [line.split()[0] for line in listed.output.splitlines()[1:] if line.strip()]


def _is_running(engine: Engine, container: str) -> bool | None:
    """None for a container that is not there: it holds nothing, and nothing starts it again."""
    try:
        return bool(containers.inspect(engine, container)["State"]["Running"])
    except MissingError:
        return None
