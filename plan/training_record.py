"""Training records: what finished trainings took, kept beside their artefacts and longer.

The next forecast on the same host is made by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plan.codec import DecodeError, decode
from plan.container import Accelerator


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """One training that was followed from its beginning to its end, without a break."""

    identity: str
    step: str
    arguments: str
    """LLaMA-Factory's, the YAML that it was told."""
    accelerator: Accelerator = field(default_factory=Accelerator)
    steps: int
    tokens: float | None = None
    """As they were foretold."""
    seconds: float | None = None
    """How long its container ran; None where nobody saw."""
    finished_at: float = 0.0
    """Seconds since 1970."""
    results: Mapping[str, object] = field(default_factory=dict)
    """LLaMA-Factory's figures, such as `train_runtime`."""

    def figure(self, name: str) -> float | None:
        """One of the results; None where it is no number above zero."""
        told = self.results.get(name)
        return float(told) if isinstance(told, int | float) and told > 0 else None


def read_training_record(content: bytes) -> TrainingRecord | None:
    """The record in a file; None where it was cut off half-way, or is of another version."""
    try:
        return decode(TrainingRecord, content)
    except DecodeError:
        return None
