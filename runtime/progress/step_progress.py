"""The live progress of a step: its progress log where it keeps one, else its container's words."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from runtime.docker.archive import read_file
from runtime.docker.engine import Engine
from runtime.docker.execution import added_lines
from runtime.docker.follow import read_log
from runtime.failure import StepError
from runtime.program import say
from runtime.progress.progress import Progress, TrainingState, last_line, mask


class StepProgress:
    """Tells the operator how far a container has come."""

    def __init__(
        self, engine: Engine, *, title: str, folder: str, log: str | None, secrets: Iterable[str]
    ) -> None:
        self._engine = engine
        self._progress = Progress(title)
        self._log = log
        self._path = str(PurePosixPath(folder) / log) if log else None
        self._secrets = tuple(secrets)
        self._training = TrainingState()

    def listen(self, container: str, *, is_new: bool) -> None:
        """Hear from now on what a running container adds to its progress log.

        Of one that `is_new`, what an earlier, interrupted container has told is not told again.
        """
        if self._path is not None:
            threading.Thread(
                target=self._listen, args=(container, self._path, is_new), daemon=True
            ).start()

    def tell(self, container: str, elapsed: float) -> None:
        """At most one line."""
        line = self._progress.line(elapsed, state=self._training.words, log=self._heard(container))
        if line:
            say(mask(line, self._secrets))

    def outcome(self, container: str, folder: str) -> str:
        """Where a finished step came to, by the whole progress log in its folder; else nothing.

        A short training ends before anybody has listened.
        """
        if self._log is None:
            return ""
        training = TrainingState()
        log = read_file(self._engine, container, str(PurePosixPath(folder) / self._log)) or b""
        for line in log.splitlines():
            training.hear(line)
        return mask(training.words, self._secrets)

    def _listen(self, container: str, path: str, is_new: bool) -> None:
        # Progress is a comfort: a container that has ended, or has no `tail`, goes without it.
        with contextlib.suppress(StepError):
            for line in added_lines(self._engine, container, path, with_last=not is_new):
                self._training.hear(line)

    def _heard(self, container: str) -> Iterator[str]:
        yield last_line(read_log(self._engine, container, lines=1))
