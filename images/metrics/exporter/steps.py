"""How far the steps of a stack have come, by what they have left in its volumes."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from families import STATES, Sample
from trainer_log import TrainerLog


@dataclass
class Step:
    """One step of the plan, told by the stack; see `plan.metrics.MeasuredStep`."""

    name: str
    noun: str
    marker: str
    """File that vouches for the finished work."""
    partial: str = ""
    """Folder of the step while it is at work; empty where it has none."""
    log: str = ""
    """Name of its trainer_log.jsonl; empty where it keeps none."""
    _trainer_log: TrainerLog | None = None

    @classmethod
    def told(cls, words: Mapping[str, Any]) -> "Step":
        """The step in a request."""
        return cls(**{key: str(value) for key, value in words.items()})

    def samples(self) -> Iterator[Sample]:
        """The state of the step; what is not there yet has none of its samples."""
        state, began = self._state()
        labels = (self.name, self.noun)
        for each in STATES:
            yield Sample(
                name="finetune_step_state", value=float(each == state), labels=(*labels, each)
            )
        if state == "done":
            took = self._took()
        else:
            took = None if began is None else max(0.0, time.time() - began)
        if took is not None:
            yield Sample(name="finetune_step_seconds", value=took, labels=labels)
        if state == "started" and (written := _last_written(Path(self.partial))):
            name = "finetune_step_written_timestamp_seconds"
            yield Sample(name=name, value=written, labels=labels)
        yield from self._training()

    def _state(self) -> tuple[str, float | None]:
        """The state, and when the step was started if it is at work."""
        marker = Path(self.marker)
        # The folder is renamed when it is complete: looked for in this order, it is always found.
        if self.partial:
            with contextlib.suppress(OSError):
                # Written as the last thing before the container starts.
                return "started", (Path(self.partial) / marker.name).stat().st_ctime
            if Path(self.partial).is_dir():
                return "started", None
        return ("done" if marker.exists() else "waiting"), None

    def _took(self) -> float | None:
        try:
            said = json.loads(Path(self.marker).read_bytes())
        except (OSError, ValueError):
            return None
        took = said.get("seconds") if isinstance(said, dict) else None
        return float(took) if isinstance(took, int | float) else None

    def _training(self) -> Iterator[Sample]:
        if not self.log:
            return
        for folder in (Path(self.partial), Path(self.marker).parent):
            path = folder / self.log
            if self._trainer_log is None or self._trainer_log.path != path:
                log = TrainerLog(path)
            else:
                log = self._trainer_log
            try:
                found = list(log.samples(self.name))
            except FileNotFoundError:
                continue
            self._trainer_log = log
            yield from found
            return


def _last_written(folder: Path) -> float | None:
    newest = None
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                modified = Path(place, name).lstat().st_mtime
                newest = modified if newest is None else max(newest, modified)
    return newest
