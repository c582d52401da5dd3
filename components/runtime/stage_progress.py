"""The live progress of a stage: its progress log where it keeps one, else its container's words."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from components.runtime import archive
from components.runtime.engine import Engine
from components.runtime.follow import read_log
from components.runtime.program import say
from components.runtime.progress import Report, last_line, mask, training_state


class StageProgress:
    """Tells the operator how far a container has come."""

    def __init__(
        self, engine: Engine, *, title: str, folder: str, log: str | None, secrets: Iterable[str]
    ) -> None:
        self._engine = engine
        self._report = Report(title)
        self._path = str(PurePosixPath(folder) / log) if log else None
        self._secrets = tuple(secrets)
        self._seen: archive.FileStat | None = None
        self._state = ""

    def skip_past(self, container: str) -> None:
        """Do not tell what an earlier, interrupted container has told."""
        if self._path:
            self._seen = archive.stat_path(self._engine, container, self._path)

    def tell(self, container: str, elapsed: float) -> None:
        """One look; at most one line."""
        self._look(container)
        line = self._report.line(elapsed, state=self._state, log=self._heard(container))
        if line:
            say(mask(line, self._secrets))

    def _look(self, container: str) -> None:
        if self._path is None:
            return
        found = archive.stat_path(self._engine, container, self._path)
        if found is None or found == self._seen:
            return
        self._seen = found
        if content := archive.read_file(self._engine, container, self._path):
            self._state = training_state(content) or self._state

    def _heard(self, container: str) -> Iterator[str]:
        yield last_line(read_log(self._engine, container, lines=1))
