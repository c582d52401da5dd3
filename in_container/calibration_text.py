"""Writes what a model was trained on as one text: what the importance of its weights is told by.

Usage: calibration_text.py CONFIG_YAML STAGE AT_MOST AT_LEAST RESULT_TEXT

CONFIG_YAML holds LLaMA-Factory's arguments on the data and the model's folder, STAGE is the
training's. Rows are drawn by chance (by the arguments' seed) until there are AT_MOST tokens; where
all of them have fewer than AT_LEAST, they are repeated. The special tokens of the chat template are
in the text. Runs inside the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - llamafactory is in the image only, and takes seconds to import

import itertools
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DATA_STAGES = {"dpo": "rm"}
"""Stages whose rows are read as another one's."""
TOKENS_OF_A_ROW = 16
"""Rows are shorter than that in hardly any data: of large data, no more are read than may do."""


def rows_until(rows: Iterable[Sequence[int]], at_most: int) -> Iterator[Sequence[int]]:
    """Rows of tokens, until there are so many tokens. The last row may be cut."""
    left = at_most
    for row in rows:
        if left <= 0:
            return
        yield row[:left]
        left -= len(row)


def repeated(rows: Sequence[Sequence[int]], at_least: int) -> Iterator[Sequence[int]]:
    """The rows, as often as it takes to have so many tokens."""
    total = sum(len(row) for row in rows)
    times = -(-at_least // total)
    return itertools.chain.from_iterable(itertools.repeat(rows, max(times, 1)))


def _arguments(config: Mapping[str, Any], at_most: int, folder: Path) -> dict[str, Any]:
    rows = at_most // TOKENS_OF_A_ROW
    return {
        **config,
        "max_samples": min(config.get("max_samples") or rows, rows),
        "packing": False,
        "output_dir": str(folder),
        # Asked for where data is streamed; nothing is trained.
        "max_steps": 1,
        "report_to": "none",
    }


def _drawn(dataset: Any, seed: int) -> Iterator[Sequence[int]]:
    """The tokens of each row, in an order by chance where the number of rows is known."""
    indexes: Iterable[Any] | None = None
    if hasattr(dataset, "__len__"):
        order = list(range(len(dataset)))
        random.Random(seed).shuffle(order)  # noqa: S311 - no secret
        indexes = (dataset[index] for index in order)
    for row in dataset if indexes is None else indexes:
        yield row.get("chosen_input_ids") or row["input_ids"]


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    try:
        config_file, stage, at_most, at_least, result = arguments
    except ValueError:
        sys.exit("usage: calibration_text.py CONFIG_YAML STAGE AT_MOST AT_LEAST RESULT_TEXT")
    import yaml
    from llamafactory.data import (  # type: ignore[import-not-found]
        get_dataset,
        get_template_and_fix_tokenizer,
    )
    from llamafactory.hparams import get_train_args  # type: ignore[import-not-found]
    from llamafactory.model import load_tokenizer  # type: ignore[import-not-found]

    config = yaml.safe_load(Path(config_file).read_text(encoding="utf-8"))
    told = _arguments(config, int(at_most), Path(config_file).parent)
    model_args, data_args, training_args, _, _ = get_train_args(told)
    module = load_tokenizer(model_args)
    tokenizer = module["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    read_as = DATA_STAGES.get(stage, stage)
    data = get_dataset(template, model_args, data_args, training_args, stage=read_as, **module)
    rows = list(rows_until(_drawn(data["train_dataset"], training_args.seed), int(at_most)))
    if not any(rows):
        sys.exit("error: the data that the model was trained on has no text")
    text = "\n".join(
        tokenizer.decode(row, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for row in repeated(rows, int(at_least))
    )
    Path(result).write_text(f"{text}\n", encoding="utf-8")
    print(f"{len(rows)} rows, {sum(len(row) for row in rows)} tokens")


if __name__ == "__main__":
    main(sys.argv[1:])
