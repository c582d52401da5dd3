"""A step in a container of its own: it makes an artefact, once, whoever watches.

Converging finds the artefact, attaches to the container that is at work, resumes or starts it.
Deleting removes the step's containers and no artefact.
"""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

from plan import labels, paths
from plan.marker import ArtefactMarker
from plan.preload import preloading
from plan.step import ContainerStepPlan, Request, StepPlan, StepResult
from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.follow import DeadlinePassedError, follow, read_log
from runtime.docker.marker_files import ArtefactMarkerFile
from runtime.failure import EngineError, MissingError, StepError
from runtime.program import Interrupted, say
from runtime.progress.diagnosis import ran_out_of_static_tls
from runtime.progress.progress import clean, duration, mask
from runtime.progress.step_failure import tell_failure, tell_overdue
from runtime.progress.step_progress import StepProgress
from runtime.steps.gpu_memory import freed, resume
from runtime.steps.gpu_turn import wait_for_turn
from runtime.steps.training_record import leave_record

KIND = ContainerStepPlan
PROJECT = Path(__file__).resolve().parents[2]
LOG_TAIL = 2000
AT_WORK = ("running", "paused", "restarting")
GOING = ("removing", "dead")


def converge(request: Request[ContainerStepPlan]) -> StepResult:
    """Make the artefact unless it is there; what it is and what came out of it."""
    return ContainerStepWork(Engine(request.engine), request).converge()


def delete(request: Request[StepPlan]) -> Mapping[str, int]:
    """Remove every container of the step."""
    engine, name = Engine(request.engine), request.step.name
    found = containers.containers_of(engine, request.owner, name)
    for container in found:
        say(f"removing container {name} ({container['State']})")
        containers.stop(engine, str(container["Id"]))
        containers.remove(engine, str(container["Id"]))
    return {"removed": len(found)}


class ContainerStepWork:
    """The work on one step: find, attach, resume or start; follow; vouch for what was made."""

    def __init__(self, engine: Engine, request: Request[ContainerStepPlan]) -> None:
        self._engine, self._owner, self._step = engine, request.owner, request.step
        marker = ArtefactMarker(
            identity=request.step.identity,
            step=request.step.name,
            stack=request.owner.stack,
            token=request.token,
            has_sums=True,
        )
        self._marker = ArtefactMarkerFile(engine, request.step, marker)
        self._secrets = {
            name: os.environ[name]
            for name in request.step.secret_environment
            if os.environ.get(name)
        }
        self._progress = StepProgress(
            engine,
            title=request.step.short_title,
            folder=str(request.step.partial),
            log=request.step.progress_log,
            secrets=self._secrets.values(),
        )

    def converge(self) -> StepResult:
        """The artefact's result; nothing is started when the artefact is there."""
        try:
            return self._converge()
        except EngineError:
            # Somebody else followed the same container to its end, or removed it. Of one that is
            # on its way out the engine says many things, status 500 among them.
            self._say("its container is gone: looking for what it made")
            return self._converge()

    def _converge(self) -> StepResult:
        container = self._attach()
        if container is not None:
            with self._room():
                container = self._see_through(container)
            self._marker.vouch(container)
            return self._result(container)
        container = self._create(self._step.container.command)
        is_made, is_begun = in_parallel(
            [
                partial(self._is_there, container, self._step.artefact),
                partial(self._is_there, container, self._step.partial),
            ]
        )
        if is_made:
            self._marker.vouch(container)
            # The run may have ended with nobody there to start them again.
            resume(self._engine, self._step.gpu_memory_holders, title=self._step.short_title)
        else:
            self._wait_for_turn(container)
            with self._room():
                self._start(container, is_begun=is_begun)
                first, container = container, self._see_through(container)
            if container == first and not is_begun:
                # The time of one that was resumed, or begun twice, tells nothing of the whole.
                leave_record(self._engine, container, self._step)
        return self._result(container)

    def _room(self) -> AbstractContextManager[None]:
        """The GPUs without what serves on them, where the settings say so."""
        return freed(self._engine, self._step.gpu_memory_holders, title=self._step.short_title)

    def _attach(self) -> str | None:
        """The container that is at this very work. Every other one of the step is removed.

        That goes for one of this work that has ended, too: its successor goes on from the same
        folder, with the secrets and the host settings of today.
        """
        step, attached = self._step, None
        for found in containers.containers_of(self._engine, self._owner, step.name):
            container, is_at_work = str(found["Id"]), found["State"] in AT_WORK
            if found["Labels"].get(labels.IDENTITY) != step.identity:
                if is_at_work:
                    self._say("superseded by new settings: stopping the container that is at work")
                    containers.stop(self._engine, container)
            elif is_at_work:
                self._say(f"attached to container {step.name}, which is at work")
                self._progress.listen(container, is_new=False)
                attached = container
                continue
            containers.remove(self._engine, container)
        return attached

    def _create(self, command: tuple[str, ...]) -> str:
        step = self._step
        container = replace(
            step.container,
            command=command,
            environment={**step.container.environment, **self._secrets},
        )
        given = containers.step_labels(self._owner, step.name, step.identity)
        if self._takes_the_gpus:
            given[labels.ACCELERATOR] = "all"
        return containers.create(self._engine, step.name, container, given)

    @property
    def _takes_the_gpus(self) -> bool:
        """Whether two of these at once would both run out of memory; processors share well."""
        accelerator = self._step.container.accelerator
        on_gpus = bool(accelerator.gpus or accelerator.devices)
        return on_gpus and self._step.noun == "training-run"

    def _is_there(self, container: str, path: PurePosixPath) -> bool:
        return archive.size_of(self._engine, container, str(path)) is not None

    def _start(self, container: str, *, is_begun: bool) -> None:
        """Start a created container on its folder; what an earlier one left there stays.

        The marker goes with it: the container's last act, the rename, makes it count.
        """
        step = self._step
        if is_begun:
            self._say("resumes from what an interrupted run left")
        else:
            self._say(f"started in container {step.name}")
        folder = step.partial.relative_to(step.volume)
        files: dict[str, archive.Content] = {
            **{str(folder / name): text.encode() for name, text in step.files.items()},
            **{str(folder / name): _upload(path) for name, path in step.uploads.items()},
            str(folder / paths.MARKER): self._marker.content,
        }
        archive.put_files(self._engine, container, step.volume, files, folder=str(folder))
        containers.start(self._engine, container, step.name)
        self._progress.listen(container, is_new=True)

    def _wait_for_turn(self, container: str) -> None:
        if not self._takes_the_gpus:
            return
        try:
            wait_for_turn(self._engine, container, title=self._step.short_title)
        except Interrupted:
            # Nobody is left to start it: it must keep no other training waiting.
            containers.remove(self._engine, container)
            raise

    def _see_through(self, container: str) -> str:
        """Follow a started container until the artefact is there; the last container."""
        began = time.monotonic()
        self._follow(container)
        preload = self._step.preload
        is_made = self._is_there(container, self._step.artefact)
        if not is_made and preload and ran_out_of_static_tls(self._log(container)):
            self._say(f"the static TLS block is exhausted: once more with {preload} preloaded")
            containers.remove(self._engine, container)
            container = self._create(preloading(self._step.container.command, preload))
            self._wait_for_turn(container)
            self._start(container, is_begun=True)
            self._follow(container)
            is_made = self._is_there(container, self._step.artefact)
        if not is_made:
            seconds, state = time.monotonic() - began, self._state(container)
            raise StepError(
                tell_failure(self._step, state, log=self._log(container), seconds=seconds)
            )
        words = [f"done in {duration(time.monotonic() - began)}"]
        if outcome := self._progress.outcome(container, str(self._step.artefact)):
            words.append(outcome)
        self._say(": ".join(words))
        self._marker.tell_time(container)
        return container

    def _follow(self, container: str) -> None:
        step = self._step
        try:
            follow(
                self._engine,
                container,
                deadline=step.deadline_seconds,
                on_tick=lambda elapsed: self._progress.tell(container, elapsed),
            )
        except DeadlinePassedError:
            containers.stop(self._engine, container)
            raise StepError(tell_overdue(step)) from None
        except Interrupted:
            raise Interrupted(
                f"{self._step.short_title}: still running in container {step.name}; "
                "the next `pulumi up` attaches"
            ) from None

    def _state(self, container: str) -> Mapping[str, Any]:
        """How the container is. Raises `MissingError` for one that is gone, or going."""
        state: Mapping[str, Any] = containers.inspect(self._engine, container)["State"]
        if state["Status"] in GOING:
            containers.remove(self._engine, container)
            raise MissingError(HTTPStatus.NOT_FOUND, self._step.what, "it was removed")
        return state

    def _log(self, container: str) -> str:
        log = read_log(self._engine, container, lines=LOG_TAIL)
        return mask(clean(log), self._secrets.values())

    def _result(self, container: str) -> StepResult:
        """What the step made; its container goes."""
        step, results = self._step, None
        if step.results:
            path = str(step.artefact / step.results)
            results = archive.read_json(self._engine, container, path)
            if results is None:
                # Another caller may have been quicker and removed the container: then look again.
                self._state(container)
        containers.remove(self._engine, container)
        return StepResult(
            identity=step.identity, artefact=str(step.artefact), results=results or {}
        )

    def _say(self, words: str) -> None:
        say(f"{self._step.short_title}: {words}")


def _upload(path: str) -> Path:
    file = PROJECT / path
    if not file.is_file():
        raise StepError(f"{path} is not there any more, seen from {PROJECT}. Put it back")
    return file
