"""What is known of the rows that a run reads: how many, and how long."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from stack_configs.settings.data_files.row_sizes import mixed
from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import Stage, TrainingRunSettings

BYTES_PER_TOKEN = 4
"""Of text in UTF-8: usual for English, and for Chinese in a vocabulary that has it."""
TEMPLATE_TOKENS = 20
"""What a chat template writes around a question and its answer."""
PAIRED: tuple[Stage, ...] = ("rm", "dpo")
"""Stages that compute each row twice: with the chosen answer, and with the rejected one."""
SHARE_OF_PAIR = 2 / 3
"""Of a row's text in each of the two: question and answers are taken for equally long."""
PREPROCESSED = 1000
"""Rows that LLaMA-Factory packs together, unless `preprocessing_batch_size` says otherwise."""

Sample = tuple[float, Sequence[int]]
"""How many rows a run takes of a data set, and the sizes of some of them in bytes."""


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """The rows of one run."""

    count: int
    """In one epoch."""
    lengths: tuple[int, ...]
    """Estimated tokens of a sample."""
    cutoff: int
    """Tokens that a row is cut at."""

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        """The lengths of the sample as they are cut."""
        return tuple(min(length, self.cutoff) for length in self.lengths)

    @property
    def mean(self) -> float:
        """Tokens of a row."""
        return sum(self.tokens) / len(self.tokens)

    def padded_mean(self, together: int, *, multiple: int = 1) -> float:
        """Tokens of a row with its padding, among so many that are drawn at random: what is to be
        expected of the longest, filled up to a multiple."""
        count = len(self.tokens)
        return sum(
            ceil(tokens / multiple)
            * multiple
            * ((rank / count) ** together - ((rank - 1) / count) ** together)
            for rank, tokens in enumerate(sorted(self.tokens), start=1)
        )

    def joined(self, together: int = PREPROCESSED) -> int:
        """Rows of `cutoff` tokens in one epoch, where texts are joined and cut anywhere. What is
        left over of each so many texts is dropped."""
        mean = sum(self.lengths) / len(self.lengths)
        whole, rest = divmod(self.count, together)
        return whole * int(together * mean / self.cutoff) + int(rest * mean / self.cutoff)

    def packed(self) -> int:
        """Rows of `cutoff` tokens in one epoch, where whole rows are put together."""
        filled = _count_knapsacks(self.lengths, self.cutoff)
        return round(filled * self.count / len(self.lengths))


def is_packed(run: TrainingRunSettings) -> bool:
    """Pre-training is, unless it is told not to."""
    told = run.arguments.get("packing")
    return bool(run.arguments.get("neat_packing") or (run.stage == "pt" if told is None else told))


def rows_of(run: TrainingRunSettings, settings: Settings) -> RunRows | None:
    """None where a data set was not read here, or is streamed."""
    told = run.arguments
    if told.get("streaming"):
        return None
    datasets = {dataset.name: dataset for dataset in settings.datasets}
    samples = [_sample(datasets[name], run) for name in run.datasets]
    counted = [sample for sample in samples if sample is not None]
    if len(counted) < len(samples):
        return None
    taken = list(_mixed(counted, run))
    if not (sizes := mixed([(round(rows), sample) for rows, sample in taken])):
        return None
    held_out = told.get("val_size") or 0
    whole = sum(rows for rows, _ in taken)
    count = whole * (1 - held_out) if held_out < 1 else whole - held_out
    return RunRows(
        count=max(1, int(count)),
        lengths=tuple(_tokens(size, run.stage) for size in sizes),
        cutoff=run.cutoff_len,
    )


def _tokens(size: int, stage: Stage) -> int:
    if stage == "pt":
        return max(1, size // BYTES_PER_TOKEN)
    share = SHARE_OF_PAIR if stage in PAIRED else 1
    return int(size * share / BYTES_PER_TOKEN) + TEMPLATE_TOKENS


def _sample(dataset: DatasetSettings, run: TrainingRunSettings) -> Sample | None:
    found = dataset.findings
    if found is None or found.rows is None or dataset.split not in (None, "train"):
        return None
    rows = dataset.num_samples or found.rows
    return min(rows, run.max_samples or rows), found.row_sizes


def _mixed(samples: Sequence[Sample], run: TrainingRunSettings) -> Iterator[Sample]:
    """The samples with the rows that are taken of each, by LLaMA-Factory's `mix_strategy`.

    Drawn by turns, until the first set is used up (interleave_under) or the last, with rows of the
    others repeated (interleave_over).
    """
    strategy = run.arguments.get("mix_strategy", "concat")
    if len(samples) == 1 or strategy in ("concat", "interleave_once"):
        yield from samples
        return
    given = run.arguments.get("interleave_probs")
    shares = [float(each) for each in str(given).split(",")] if given else [1.0] * len(samples)
    ends = [rows / share for (rows, _), share in zip(samples, shares, strict=False) if share]
    turns = min(ends) if strategy == "interleave_under" else max(ends)
    for (_, sample), share in zip(samples, shares, strict=False):
        yield turns * share, sample


def _count_knapsacks(lengths: Sequence[int], capacity: int) -> int:
    """As LLaMA-Factory's `greedy_knapsack` fills them; a row that is too long is dropped there."""
    left = sorted(length for length in lengths if length <= capacity)
    count = 0
    while left:
        room = capacity
        while (index := bisect(left, room)) > 0:
            room -= left.pop(index - 1)
        count += 1
    return count
