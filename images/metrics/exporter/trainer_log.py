"""How far a training has come, by LLaMA-Factory's trainer_log.jsonl: what was added is read."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from families import Sample

_DURATION = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)")
_FIGURES = {
    "current_steps": "finetune_training_steps_done",
    "total_steps": "finetune_training_steps_planned",
    "epoch": "finetune_training_epoch",
    "loss": "finetune_training_loss",
    "eval_loss": "finetune_training_eval_loss",
    "reward": "finetune_training_reward",
    "accuracy": "finetune_training_accuracy",
    "lr": "finetune_training_learning_rate",
    "total_tokens": "finetune_training_tokens",
}
"""What the log calls each metric. Not every line has each of them: the last one counts."""


def seconds(text: str) -> float | None:
    """Seconds in a time as the log writes it: `0:01:02`, or `1 day, 0:01:02`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + rest


@dataclass
class TrainerLog:
    """The log of one training, in its folder."""

    path: Path
    _read: int = 0
    """Bytes of whole lines that were read."""
    _last: dict[str, Any] = field(default_factory=dict)
    _resumed: dict[str, Any] | None = None
    """The first line since the training was resumed; None where it never was."""

    def samples(self, step: str) -> Iterator[Sample]:
        """What the log says now. Nothing, where there is no log yet."""
        self._hear()
        for key, name in _FIGURES.items():
            if isinstance(value := self._last.get(key), int | float):
                yield Sample(name=name, value=float(value), labels=(step,))
        if (speed := self._tokens_per_second()) is not None:
            name = "finetune_training_tokens_per_second"
            yield Sample(name=name, value=speed, labels=(step,))
        if (left := self._left()) is not None:
            yield Sample(name="finetune_training_left_seconds", value=left, labels=(step,))

    def _hear(self) -> None:
        if self.path.stat().st_size < self._read:
            self._read, self._last, self._resumed = 0, {}, None
        with self.path.open("rb") as file:
            file.seek(self._read)
            # A line that is being written is for the next time.
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if not isinstance(entry, dict) or "current_steps" not in entry:
            return
        before, now = self._elapsed(self._last), self._elapsed(entry)
        if before is not None and now is not None and now < before:
            self._resumed = entry
        self._last |= entry

    def _tokens_per_second(self) -> float | None:
        """The log's own figure divides all tokens by the time since the last start."""
        if self._resumed is None:
            return self._last.get("throughput")
        return self._since_resumed("total_tokens")

    def _left(self) -> float | None:
        """The log's own figure takes the steps before a resumption for done since."""
        if self._resumed is None:
            return seconds(str(self._last.get("remaining_time", "")))
        speed = self._since_resumed("current_steps")
        if not speed:
            return None
        return max(0.0, self._last.get("total_steps", 0) - self._last["current_steps"]) / speed

    def _since_resumed(self, key: str) -> float | None:
        began = self._elapsed(self._resumed or {})
        now = self._elapsed(self._last)
        first, last = (self._resumed or {}).get(key), self._last.get(key)
        if began is None or now is None or now <= began or first is None or last is None:
            return None
        return float(last - first) / (now - began)

    @staticmethod
    def _elapsed(entry: dict[str, Any]) -> float | None:
        return seconds(str(entry.get("elapsed_time", "")))
