"""LLaMA-Factory's own table, "Hardware Requirement" in the README of 0.9.5, beside the estimate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.gpu_memory.cases import estimate_alone, shape_of
from planning.memory.estimate import MemoryEstimate
from planning.memory.model_size import weights_of
from stack_configs.settings.training_runs import TrainingRunSettings

COLUMNS: Mapping[str, str] = {
    "7B": "llama-2-7b",
    "14B": "qwen2.5-14b",
    "30B": "llama-30b",
    "70B": "llama-2-70b",
}
"""The models that are taken for the table's sizes."""
LENGTH = 1024
"""Tokens of a row, in batches of one: LLaMA-Factory's default when the table was written. The table
itself says nothing of either."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method of a row of the table."""

    method: str
    told: str
    """What the table calls the row."""
    gb: tuple[int, int, int, int]
    for_each_billion: float
    """Of its last column: GB for each billion of weights."""
    run: Mapping[str, Any]
    bits: int | None = None
    """Of a base model that comes quantized: the stack itself quantizes to no 2 bits."""


FULL, PURE = "Full (bf16 or fp16)", "Full (pure_bf16)"
FEW, QUANTIZED = "Freeze/LoRA/GaLore/APOLLO/BAdam/OFT", "QLoRA / QOFT"
SAVED = {"finetuning_type": "full", "pure_bf16": True}

ROWS: Sequence[Row] = (
    Row(
        method="full",
        told=FULL,
        gb=(120, 240, 600, 1200),
        for_each_billion=18,
        run={"finetuning_type": "full"},
    ),
    Row(method="full, pure bf16", told=PURE, gb=(60, 120, 300, 600), for_each_billion=8, run=SAVED),
    *(
        Row(method=method, told=FEW, gb=(16, 32, 64, 160), for_each_billion=2, run=run)
        for method, run in (
            ("freeze", {"finetuning_type": "freeze"}),
            ("LoRA", {}),
            ("OFT", {"finetuning_type": "oft"}),
            ("GaLore, layer by layer", {**SAVED, "use_galore": True, "galore_layerwise": True}),
            ("APOLLO, layer by layer", {**SAVED, "use_apollo": True, "apollo_layerwise": True}),
            ("BAdam", {**SAVED, "use_badam": True}),
        )
    ),
    *(
        Row(
            method=f"{method}, {bits} bits",
            told=QUANTIZED,
            gb=gb,
            for_each_billion=bits / 8,
            run={"finetuning_type": kind} | ({"quantization_bit": bits} if bits > 2 else {}),  # noqa: PLR2004
            bits=bits,
        )
        for bits, gb in ((8, (10, 20, 40, 80)), (4, (6, 12, 24, 48)), (2, (4, 8, 16, 24)))
        for method, kind in (("QLoRA", "lora"), ("QOFT", "oft"))
    ),
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure of the table, and the estimate for it."""

    row: Row
    column: str
    published: int
    estimate: MemoryEstimate

    @property
    def billions(self) -> float:
        """Weights of the model that was taken."""
        return weights_of(shape_of(COLUMNS[self.column])) / 1e9

    @property
    def error(self) -> float:
        """Of the estimate: a share of the table's figure."""
        return self.estimate.total / self.published - 1


def cells() -> Iterator[Cell]:
    """Every figure of every row."""
    for row in ROWS:
        for (column, model), published in zip(COLUMNS.items(), row.gb, strict=True):
            shape = replace(shape_of(model), bits=row.bits)
            yield Cell(
                row=row,
                column=column,
                published=published,
                estimate=estimate_alone(run_of(row), shape),
            )


def run_of(row: Row) -> TrainingRunSettings:
    """A run of the row's method."""
    return TrainingRunSettings.model_validate(
        {"datasets": ["rows"], "cutoff_len": LENGTH, **row.run}
    )
