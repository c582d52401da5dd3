"""What is known of the rows that a run reads: how many, and how long."""

from collections.abc import Sequence
from dataclasses import dataclass

from stack_configs.settings.data_files.row_sizes import mixed
from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

BYTES_PER_TOKEN = 4
"""Of text in UTF-8: usual for English, and for Chinese in a vocabulary that has it."""
TEMPLATE_TOKENS = 20
"""What a chat template writes around a question and its answer."""


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """The rows of one run."""

    count: int
    """In one epoch."""
    tokens: tuple[int, ...]
    """Estimated lengths of a sample, as they are cut."""

    @property
    def mean(self) -> float:
        """Tokens of a row."""
        return sum(self.tokens) / len(self.tokens)

    def padded_mean(self, together: int) -> float:
        """Tokens of a row with its padding, among so many that are drawn at random: what is to be
        expected of the longest."""
        count = len(self.tokens)
        return sum(
            tokens * ((rank / count) ** together - ((rank - 1) / count) ** together)
            for rank, tokens in enumerate(sorted(self.tokens), start=1)
        )


def rows_of(run: TrainingRunSettings, settings: Settings) -> RunRows | None:
    """None where a data set was not read here, or is mixed in otherwise than as a whole."""
    told = run.arguments
    if told.get("mix_strategy", "concat") != "concat" or told.get("streaming"):
        return None
    datasets = {dataset.name: dataset for dataset in settings.datasets}
    samples = [_sample(datasets[name], run) for name in run.datasets]
    counted = [sample for sample in samples if sample is not None]
    sizes = mixed(counted)
    if len(counted) < len(samples) or not sizes:
        return None
    held_out = told.get("val_size") or 0
    whole = sum(rows for rows, _ in counted)
    count = whole * (1 - held_out) if held_out < 1 else whole - held_out
    tokens = (size // BYTES_PER_TOKEN + TEMPLATE_TOKENS for size in sizes)
    return RunRows(
        count=max(1, int(count)), tokens=tuple(min(each, run.cutoff_len) for each in tokens)
    )


def _sample(dataset: DatasetSettings, run: TrainingRunSettings) -> tuple[int, Sequence[int]] | None:
    """How many rows a run takes of a data set, and a sample of their sizes."""
    found = dataset.findings
    if found is None or found.rows is None or dataset.split not in (None, "train"):
        return None
    rows = dataset.num_samples or found.rows
    return min(rows, run.max_samples or rows), found.row_sizes
