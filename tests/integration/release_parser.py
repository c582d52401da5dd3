"""Asks LLaMA-Factory's own parser about training runs: refused, and with which words, or taken.

Usage: release_parser.py RUNS_JSON

A run is `{"arguments": {...}, "several_processes": bool}`. Prints a list with null for each that is
taken. What hardware and packages would have to be there for it is left aside: DeepSpeed, several
processes and the packages of optimizers are believed to be. Runs inside the LLaMA-Factory image.
"""

import json
import sys
from pathlib import Path
from typing import Any

from llamafactory.hparams import parser  # type: ignore[import-not-found]
from llamafactory.hparams.training_args import TrainingArguments  # type: ignore[import-not-found]
from transformers.training_args import ParallelMode  # type: ignore[import-not-found]

parse = parser._parse_train_args
parser._check_extra_dependencies = lambda *_: None
parser._set_transformers_logging = lambda: None


def ask(arguments: dict[str, Any], *, several_processes: bool) -> str | None:
    """What the parser says against a run."""
    deepspeed = arguments.pop("deepspeed", None)

    def parsed(given: Any) -> Any:
        model, data, training, *others = parse(given)
        training.deepspeed = deepspeed
        return model, data, training, *others

    several = several_processes or deepspeed is not None
    mode = ParallelMode.DISTRIBUTED if several else ParallelMode.NOT_PARALLEL
    TrainingArguments.parallel_mode = property(lambda _: mode)
    parser._parse_train_args = parsed
    parser.is_deepspeed_zero3_enabled = lambda: deepspeed == "zero3"
    try:
        parser.get_train_args(arguments)
    except (ValueError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    runs = json.loads(Path(sys.argv[1]).read_text())
    answers = [ask(run["arguments"], several_processes=run["several_processes"]) for run in runs]
    Path("answers.json").write_text(json.dumps(answers))
