"""What a row of the tables of clashes is: arguments that LLaMA-Factory refuses together.

Each row is what the release itself says: `hparams/parser.py`, `hparams/finetuning_args.py`,
`hparams/data_args.py`, and transformers' `training_args.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Told = Mapping[str, Any]
"""Every argument of the release by its name: what the run says, else the release's default."""


@dataclass(frozen=True, kw_only=True)
class Clash:
    """One thing that the release refuses."""

    argument: str
    """The one to change."""
    when: Callable[[Told], bool]
    rule: str
    way_out: str
    several_processes: bool = False
    """Only where several devices train together."""


def under_zero3(told: Told) -> bool:
    """Whether DeepSpeed shares the weights out."""
    return str(told["deepspeed"]).startswith("zero3")


def evaluates(told: Told) -> bool:
    """Whether the model is judged while it trains."""
    return bool(told["eval_strategy"] != "no")


def has_judging_rows(told: Told) -> bool:
    """Whether there is anything to judge by."""
    return bool(told["eval_dataset"]) or told["val_size"] > 0
