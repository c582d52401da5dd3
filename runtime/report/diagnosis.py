"""Why a step failed, in the operator's words: from its log to the settings to change."""

import re
from dataclasses import dataclass

LOG_LINES = 30
"""Shown when nothing known is found in the log."""
EVIDENCE_LENGTH = 300
KILLED = 137

LAUNCHER = re.compile(r"^.*torch/distributed/elastic/.*failed \(exitcode", re.MULTILINE)
"""Where torchrun begins to tell at length that one of its processes failed, and not why."""

STATIC_TLS = re.compile(r"cannot allocate memory in static TLS block")


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What happened and what to do about it."""

    cause: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.cause}\n  {self.way_out}."


@dataclass(frozen=True, kw_only=True)
class _Symptom:
    pattern: re.Pattern[str]
    diagnosis: Diagnosis


def _symptom(pattern: str, cause: str, way_out: str) -> _Symptom:
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Symptom(pattern=compiled, diagnosis=Diagnosis(cause=cause, way_out=way_out))


_SYMPTOMS = (
    _symptom(
        STATIC_TLS.pattern,
        "a library found no room left in the static TLS block of its process",
        "Rebuild the image with `pulumi up`: a newer scikit-learn may have moved its libgomp, "
        "which the step preloads",
    ),
    _symptom(
        r"(cuda|hip|npu)[^\n]{0,40} out of memory|torch\.(cuda\.)?OutOfMemoryError"
        r"|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU ran out of memory",
        "In training_runs[]: lower per_device_train_batch_size (and raise "
        "gradient_accumulation_steps by as much), set precision: bf16, "
        "gradient_checkpointing: true, a smaller cutoff_len, or quantization_bit: 4 (QLoRA)",
    ),
    _symptom(
        r"bus error|insufficient shared memory|unable to (write to|open shared memory)[^\n]*"
        r"|/dev/shm[^\n]*no space left",
        "shared memory ran out",
        "Raise host.shm_size_gb (16 or 32 is usual)",
    ),
    _symptom(
        r"no space left on device|disk quota exceeded",
        "the disk is full",
        "Make room at the engine's data root (docker system df shows what is in use), then run "
        "`pulumi up` again: the step goes on from its last checkpoint",
    ),
    _symptom(
        r"gated repo|401 client error|403 client error|GatedRepoError|invalid user token",
        "the model hub refused access to the model",
        "Accept the model's terms on its page, then hand over a token that may read it: "
        "`pulumi config set --secret hub_token`",
    ),
    _symptom(
        r"repository not found|RepositoryNotFoundError|RevisionNotFoundError",
        "the model hub does not know this model or revision",
        "Look at models[].base_model.hub and .revision; for a private model: "
        "`pulumi config set --secret hub_token`",
    ),
    _symptom(
        r"LocalEntryNotFoundError|couldn't connect to|max retries exceeded|connection refused"
        r"|name or service not known|temporary failure in name resolution|network is unreachable"
        r"|offline mode is enabled|OfflineModeIsEnabled",
        "the model could not be fetched: the hub cannot be reached from the container",
        "Check the host's network, proxy and mirror settings (images.mirrors), or put the weights "
        "into a volume and name their folder in models[].base_model.path",
    ),
)

_OUT_OF_RAM = Diagnosis(
    cause="the kernel ended it because the host's memory ran out",
    way_out="Stop what else uses memory (docker stats), lower per_device_train_batch_size or "
    "cutoff_len, or take a host with more memory",
)
_KILLED = Diagnosis(
    cause="it was killed from outside (docker kill, or the host's memory ran out)",
    way_out="Run `pulumi up` again: the step goes on from its last checkpoint. If it dies again, "
    "look at the host's memory",
)


def diagnose(log: str, *, exit_code: int, out_of_memory: bool) -> Diagnosis:
    """The best explanation of a failed step; its last words where there is no better one."""
    if out_of_memory:
        return _OUT_OF_RAM
    for symptom in _SYMPTOMS:
        if found := symptom.pattern.search(log):
            return _with_evidence(symptom.diagnosis, log, found.start())
    if exit_code == KILLED:
        return _KILLED
    told = log[: launcher.start()] if (launcher := LAUNCHER.search(log)) else log
    said = [line for line in told.splitlines() if line.strip()][-LOG_LINES:]
    shown = "\n".join(f"    | {line}" for line in said) or "    | (nothing)"
    return Diagnosis(cause=f"its last words:\n{shown}", way_out="Put that right and run again")


def _with_evidence(diagnosis: Diagnosis, log: str, position: int) -> Diagnosis:
    """The same with the line that told; an operator may know better than a table."""
    line = log[log.rfind("\n", 0, position) + 1 :].split("\n", 1)[0].strip()[:EVIDENCE_LENGTH]
    return Diagnosis(cause=f"{diagnosis.cause}:\n    | {line}", way_out=diagnosis.way_out)


def ran_out_of_static_tls(log: str) -> bool:
    """Whether preloading the library would have helped (F5)."""
    return STATIC_TLS.search(log) is not None


def preloading(command: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    """The same command with the library preloaded; the glob is resolved inside the container."""
    script = (
        'for library in $1; do [ -e "$library" ] && export LD_PRELOAD="$library" && break; done; '
        'shift; exec "$@"'
    )
    return ("sh", "-c", script, "preload", pattern, *command)
