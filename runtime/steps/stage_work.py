"""The work on one stage: find, attach, resume or start; follow; vouch for what was made."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

from runtime.docker import archive, containers
from runtime.report.diagnosis import diagnose, preloading, ran_out_of_static_tls
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError, MissingError, StepError
from runtime.docker.follow import DeadlinePassedError, follow, read_log
from runtime.steps.marker import encode_marker, write_marker
from runtime.program import Interrupted, say
from runtime.report.progress import clean, duration, mask
from runtime.report.stage_progress import StageProgress
from runtime.steps.stage_spec import StageSpec

PROJECT = Path(__file__).resolve().parents[2]
LOG_TAIL = 200
AT_WORK = ("running", "paused", "restarting")
GOING = ("removing", "dead")


class StageWork:
    """One stage on one engine."""

    def __init__(self, engine: Engine, stage: StageSpec) -> None:
        self._engine, self._stage = engine, stage
        self._secrets = {
            name: os.environ[name] for name in stage.secret_environment if os.environ.get(name)
        }
        self._progress = StageProgress(
            engine,
            title=stage.short_title,
            folder=stage.partial,
            log=stage.progress_log,
            secrets=self._secrets.values(),
        )

    def converge(self) -> Mapping[str, Any]:
        """The artefact's result; nothing is started when the artefact is there."""
        try:
            return self._converge()
        except EngineError:
            # Somebody else followed the same container to its end, or removed it. Of one that is
            # on its way out the engine says many things, status 500 among them.
            self._say("its container is gone: looking for what it made")
            return self._converge()

    def _converge(self) -> Mapping[str, Any]:
        container = self._attach()
        if container is not None:
            container = self._see_through(container)
            self._vouch(container)
            return self._result(container)
        container = self._create(self._stage.container.command)
        is_made, is_begun = in_parallel(
            [
                partial(self._is_there, container, self._stage.artefact),
                partial(self._is_there, container, self._stage.partial),
            ]
        )
        if is_made:
            self._vouch(container)
        else:
            self._start(container, is_begun=is_begun)
            container = self._see_through(container)
        return self._result(container)

    def _attach(self) -> str | None:
        """The container that is at this very work. Every other one of the stage is removed.

        That goes for one of this work that has ended, too: its successor goes on from the same
        folder, with the secrets and the host settings of today.
        """
        step, attached = self._stage.step, None
        for found in containers.containers_of(self._engine, step.stack, step.name):
            container, is_at_work = str(found["Id"]), found["State"] in AT_WORK
            if found["Labels"].get(containers.FINGERPRINT_LABEL) != step.fingerprint:
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
        spec = replace(
            self._stage.container,
            command=command,
            environment={**self._stage.container.environment, **self._secrets},
        )
        step = self._stage.step
        return containers.create(self._engine, step.name, spec, step.labels)

    def _is_there(self, container: str, path: str) -> bool:
        return archive.size_of(self._engine, container, path) is not None

    def _start(self, container: str, *, is_begun: bool) -> None:
        """Start a created container on its folder; what an earlier one left there stays.

        The marker goes with it: the container's last act, the rename, makes it count.
        """
        stage = self._stage
        if is_begun:
            self._say("resumes from what an interrupted run left")
        else:
            self._say(f"started in container {stage.step.name}")
        folder = PurePosixPath(stage.partial).relative_to(stage.root)
        files: dict[str, archive.Content] = {
            **{str(folder / name): text.encode() for name, text in stage.files.items()},
            **{str(folder / name): _upload(path) for name, path in stage.uploads.items()},
            str(folder / PurePosixPath(stage.marker).name): encode_marker(self._marker),
        }
        archive.put_files(self._engine, container, stage.root, files, folder=str(folder))
        containers.start(self._engine, container, stage.step.name)
        self._progress.listen(container, is_new=True)

    def _see_through(self, container: str) -> str:
        """Follow a started container until the artefact is there; the last container."""
        began = time.monotonic()
        self._follow(container)
        preload = self._stage.preload
        is_made = self._is_there(container, self._stage.artefact)
        if not is_made and preload and ran_out_of_static_tls(self._log(container)):
            self._say(f"the static TLS block is exhausted: once more with {preload} preloaded")
            containers.remove(self._engine, container)
            container = self._create(preloading(self._stage.container.command, preload))
            self._start(container, is_begun=True)
            self._follow(container)
            is_made = self._is_there(container, self._stage.artefact)
        if not is_made:
            raise StepError(self._failure(container, time.monotonic() - began))
        self._say(f"done in {duration(time.monotonic() - began)}")
        return container

    def _follow(self, container: str) -> None:
        stage = self._stage
        try:
            follow(
                self._engine,
                container,
                deadline=stage.deadline_seconds,
                on_tick=lambda elapsed: self._progress.tell(container, elapsed),
            )
        except DeadlinePassedError:
            containers.stop(self._engine, container)
            raise StepError(self._overdue()) from None
        except Interrupted:
            raise Interrupted(
                f"{stage.short_title}: still running in container {stage.step.name}; "
                "the next `pulumi up` attaches"
            ) from None

    def _overdue(self) -> str:
        stage = self._stage
        limit = duration(stage.deadline_seconds)
        raised = f"Raise {stage.deadline_setting}" if stage.deadline_setting else "Free the host"
        return (
            f"{stage.what} was stopped: it had not ended after its deadline of {limit}.\n"
            f"  {raised}, then run `pulumi up` again: it goes on from its last checkpoint.\n"
            f"  Its log: docker logs {stage.step.name}"
        )

    def _failure(self, container: str, seconds: float) -> str:
        stage = self._stage
        state = self._state(container)
        code = int(state["ExitCode"])
        if code == 0:
            return (
                f"{stage.what} ended well but left nothing at {stage.artefact}. "
                f"Its log: docker logs {stage.step.name}"
            )
        found = diagnose(
            self._log(container), exit_code=code, out_of_memory=bool(state.get("OOMKilled"))
        )
        return (
            f"{stage.what} failed with exit code {code} after {duration(seconds)}: {found}\n"
            f"  Its log: docker logs {stage.step.name}. What it made so far stays in "
            f"{stage.partial}"
        )

    def _state(self, container: str) -> Mapping[str, Any]:
        """How the container is. Raises `MissingError` for one that is gone, or going."""
        state: Mapping[str, Any] = containers.inspect(self._engine, container)["State"]
        if state["Status"] in GOING:
            containers.remove(self._engine, container)
            raise MissingError(HTTPStatus.NOT_FOUND, self._stage.what, "it was removed")
        return state

    def _log(self, container: str) -> str:
        log = read_log(self._engine, container, lines=LOG_TAIL)
        return mask(clean(log), self._secrets.values())

    @property
    def _marker(self) -> Mapping[str, str]:
        return {"fingerprint": self._stage.step.fingerprint, "token": self._stage.token}

    def _vouch(self, container: str) -> None:
        """Give an artefact that another run began the token of this one."""
        stage = self._stage
        write_marker(
            self._engine, container, root=stage.root, marker=stage.marker, content=self._marker
        )

    def _result(self, container: str) -> Mapping[str, Any]:
        """What the stage made; its container goes."""
        stage, results = self._stage, None
        if stage.results:
            path = str(PurePosixPath(stage.artefact) / stage.results)
            results = archive.read_json(self._engine, container, path)
            if results is None:
                # Another caller may have been quicker and removed the container: then look again.
                self._state(container)
        containers.remove(self._engine, container)
        return {
            "fingerprint": stage.step.fingerprint,
            "artefact": stage.artefact,
            "results": results or {},
        }

    def _say(self, words: str) -> None:
        say(f"{self._stage.short_title}: {words}")


def _upload(path: str) -> Path:
    file = PROJECT / path
    if not file.is_file():
        raise StepError(f"{path} is not there any more, seen from {PROJECT}. Put it back")
    return file
