"""Why a step failed, in the operator's words: from its log to the settings to change."""

import re
from dataclasses import dataclass

from runtime.progress.symptoms.host import STATIC_TLS
from runtime.progress.symptoms.symptom import Symptom
from runtime.progress.symptoms.table import SYMPTOMS

LOG_LINES = 30
"""Shown when nothing known is found in the log."""
EVIDENCE_LENGTH = 300
KILLED = 137

LAUNCHER = re.compile(r"^.*torch/distributed/elastic/.*failed \(exitcode", re.MULTILINE)
"""Where torchrun begins to tell at length that one of its processes failed, and not why."""

SIGN_OF_LIFE = re.compile(r"\[INFO\|[^\n]*|\{'loss': (?!'?nan)[^\n]*")
"""What went well: what was complained of before it was overcome. Bars of progress are none, they
are drawn once more when all is over."""

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What happened and what to do about it."""

    cause: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.cause}\n  {self.way_out}."


_OUT_OF_RAM = Diagnosis(
    cause="the kernel ended it because memory ran out: the host's, or host.limits.memory_gb",
    way_out="Stop what else uses memory (docker stats), raise the limit, or take a host with more "
    "memory",
)
_TRAINING_OUT_OF_RAM = Diagnosis(
    cause=_OUT_OF_RAM.cause,
    way_out="Stop what else uses memory (docker stats), lower "
    "training_runs[].per_device_train_batch_size or .cutoff_len, raise the limit, or take a host "
    "with more memory",
)
_KILLED = Diagnosis(
    cause="it was killed from outside (docker kill, or the host's memory ran out)",
    way_out="Run `pulumi up` again: the step goes on from its last checkpoint. If it dies again, "
    "look at the host's memory",
)


def diagnose(log: str, *, failed: str, exit_code: int, out_of_memory: bool) -> Diagnosis:
    """The best explanation of a failure; its last words where there is no better one.

    `failed` is the noun of a step, or the section of the settings that a service is configured in:
    what helps the one is of no use to the other.
    """
    if out_of_memory:
        return _TRAINING_OUT_OF_RAM if failed == "training-run" else _OUT_OF_RAM
    if known := explain(log, failed=failed):
        return known
    if exit_code == KILLED:
        return _KILLED
    told = log[: launcher.start()] if (launcher := LAUNCHER.search(log)) else log
    said = [line for line in told.splitlines() if line.strip()][-LOG_LINES:]
    shown = "\n".join(f"    | {line}" for line in said) or "    | (nothing)"
    return Diagnosis(cause=f"its last words:\n{shown}", way_out="Put that right and run again")


def explain(log: str, *, failed: str) -> Diagnosis | None:
    """What a known symptom in the log tells, with the line that it is known by."""
    for text in (_last_failure(log), _last_traceback(log)):
        if found := _find(text):
            symptom, evidence = found
            cause = f"{symptom.cause}:\n    | {evidence}"
            return Diagnosis(cause=cause, way_out=symptom.way_out_of(failed))
    return None


def _last_failure(log: str) -> str:
    """What was said after all went well for the last time."""
    signs = list(SIGN_OF_LIFE.finditer(log))
    return log[signs[-1].end() :] if signs else log


def _last_traceback(log: str) -> str:
    """From the last error on: of processes that run together, one may go on for a while."""
    begin = log.rfind(TRACEBACK)
    return log[begin:] if begin >= 0 else ""


def _find(text: str) -> tuple[Symptom, str] | None:
    """The symptom that explains most, and its line: an operator may know better than a table.

    One that is not general before one that is; of these, the one that stands last: what was
    complained of before may have been overcome, or be the same in other words.
    """
    best: tuple[tuple[bool, int], Symptom, int] | None = None
    for symptom in SYMPTOMS:
        for match in symptom.pattern.finditer(text):
            line = text.rfind("\n", 0, match.end() - 1) + 1
            rank = (not symptom.is_general, line)
            if best is None or rank > best[0]:
                best = rank, symptom, line
    if best is None:
        return None
    _, symptom, line = best
    return symptom, text[line:].split("\n", 1)[0].strip()[:EVIDENCE_LENGTH]


def ran_out_of_static_tls(log: str) -> bool:
    """Whether preloading the library would have helped (F5)."""
    return re.search(STATIC_TLS, log) is not None
