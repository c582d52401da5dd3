"""What the operator reads while a step runs. Pure text: nothing here asks an engine."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

QUIET_SECONDS = 15.0
"""No step is silent for longer in its first minutes: silence reads as a hang."""
SLOWEST_SECONDS = 60.0
"""Nor for longer than this ever after."""
LINES_PER_AGE = 40
"""The longer a step has run, the longer it is silent: for a fortieth of that time. Every line that
is printed lies in the stack's state for ever; at one a second, a day would leave megabytes."""
LOG_SECONDS = 3.0
"""A container's own words are passed on at most this often."""
LINE_LENGTH = 160
KILO = 1000
UNITS = ("B", "kB", "MB", "GB", "TB")

_ESCAPE_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[@-_]")
_SPINNER = re.compile(r"[\u2800-\u28ff]")
_FIGURES = re.compile(r"[\d.]+ ?([kMGT]?B(/s)?|%|m?s\b)?|[\u2580-\u259f ]+")
_NOT_PRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as LLaMA-Factory writes them."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def size(count: int) -> str:
    """A number of bytes in the unit that fits."""
    power = next((power for power in range(len(UNITS)) if count < KILO ** (power + 1)), -1)
    amount = count / KILO ** (power % len(UNITS))
    return f"{amount:.1f} {UNITS[power]}" if power else f"{count} {UNITS[0]}"


def figure(value: float) -> str:
    """A number with three digits that say something."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    if abs(value) < 0.001 or abs(value) >= 1e6:  # noqa: PLR2004 - where zeros begin to be counted
        return f"{value:.2g}".replace("e-0", "e-").replace("e+0", "e+")
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def clean(text: str) -> str:
    """Text without escape codes; of a line that was rewritten in place, its last state."""
    lines = []
    for line in _ESCAPE_CODES.sub("", text).split("\n"):
        states = [state for state in line.split("\r") if state.strip()]
        lines.append(_NOT_PRINTABLE.sub("", states[-1]).rstrip() if states else "")
    return "\n".join(lines)


def mask(text: str, secrets: Iterable[str]) -> str:
    """Text without the values of secrets, should a program have printed one."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return text


def last_line(text: str) -> str:
    """The last line that says something, not too long."""
    lines = [line for line in clean(text).split("\n") if line.strip()]
    return lines[-1].strip()[:LINE_LENGTH] if lines else ""


class TrainingState:
    """How far a training has come, by the lines of LLaMA-Factory's trainer_log.jsonl.

    An evaluation is a line of its own, and the next step's would hide it: its loss stays in view.
    """

    def __init__(self) -> None:
        self.words = ""
        self._evaluated: dict[str, Any] = {}

    def hear(self, line: bytes) -> None:
        """One more line of the log; any other changes nothing."""
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if not isinstance(entry, dict) or "current_steps" not in entry:
            return
        self._evaluated = {key: entry[key] for key in ("eval_loss",) if key in entry} or (
            self._evaluated
        )
        self.words = _describe({**self._evaluated, **entry})


def _describe(entry: dict[str, Any]) -> str:
    step, total = entry["current_steps"], entry.get("total_steps")
    words = [f"step {step}"]
    if total:
        words = [f"step {step}/{total} ({100 * step // total}%)"]
    for key in ("loss", "eval_loss", "reward"):
        if isinstance(value := entry.get(key), int | float):
            words.append(f"{key.replace('_', ' ')} {value:.4g}")
    if (left := entry.get("remaining_time")) and step != total:
        words.append(f"{left} left")
    return ", ".join(words)


class Progress:
    """Decides which of the things heard are worth a line, and when silence needs one."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = ""
        self._shown_at = 0.0

    def line(self, elapsed: float, *, state: str, log: Iterable[str]) -> str | None:
        """The line to print now, if any.

        `state` is the step's own progress; `log` gives the newest line of the container's log,
        and is only asked when it may be printed.
        """
        since = elapsed - self._shown_at
        pause = min(elapsed / LINES_PER_AGE, SLOWEST_SECONDS)
        if since < pause:
            return None
        if state and state != self._shown:
            return self._show(elapsed, state, state)
        if since < (QUIET_SECONDS if state else LOG_SECONDS):
            return None
        heard = next(iter(log), "")
        if heard and heard != self._shown and not state:
            return self._show(elapsed, heard, heard)
        if since >= QUIET_SECONDS:
            return self._show(elapsed, self._shown, f"still at work after {duration(elapsed)}")
        return None

    def _show(self, elapsed: float, shown: str, words: str) -> str:
        self._shown, self._shown_at = shown, elapsed
        return f"{self._title}: {words}"


class CommandWords:
    """Makes lines of what a command draws on a terminal: spinners, bars, rewritten lines."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[str, float]] = {}

    def hear(self, text: str, now: float) -> list[str]:
        """The lines worth printing after this piece of output."""
        worth = []
        for line in re.split(r"[\r\n]+", _ESCAPE_CODES.sub("\n", text)):
            words = _SPINNER.sub("", _NOT_PRINTABLE.sub("", line)).strip()[:LINE_LENGTH]
            # The same words with other figures are a bar that moves.
            kind = _FIGURES.sub("", words)
            shown, shown_at = self._shown.get(kind, ("", now - LOG_SECONDS))
            if words and words != shown and now - shown_at >= LOG_SECONDS:
                self._shown[kind] = (words, now)
                worth.append(words)
        return worth
