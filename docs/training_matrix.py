"""docs/training_matrix.md: what was trained together for real, and what it answered.

`make test-matrix` writes a record of each cell as it runs; the page is made from the records alone.
"""

import fcntl
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RECORDS = Path(__file__).with_suffix(".json")

HEAD = """<!-- Made by `make test-matrix` from what it ran. -->

# What was trained together

Each row is a model that one `pulumi up` took from random weights with its family's architecture and
vocabulary to an answer in Ollama: trained, merged, converted, compared with its training token by
token, and asked. "as taught" means that it answered every question with the words of the last
stage that teaches any: sft, pt, dpo or kto. Before dpo, kto and ppo stands an sft, and dpo and kto
teach other answers than it did; ppo stands for a reward model and ppo, whose two steps must leave
what sft has taught. qlora is LoRA on 4 bits, by bitsandbytes on the processor. Every family meets
every method, and any two columns meet in each pair of their values. "parity" is how many shapes of
a conversation have the tokens of the training. DeepSeek's are served with `chat_parity: reported`:
the brace that begins an answer is one token with the colon before it, and in the training two.

`seconds` are those of the `up` that made the model, and of the questions, beside another one on two
cores. Where the hardware has no bitsandbytes (Ascend), qlora is refused in preview
(`tests/stack_configs/test_consistency.py`).
"""

Cells = Sequence[tuple[str, ...]]
"""Each: family, method, stage, type of weights."""

OWN = "Llama, own vocabulary"
ON_EVERY_CHANGE: Mapping[str, Cells] = {
    "tests/integration/test_training_matrix.py": tuple(
        (*trained, quantization)
        for trained in (
            ("llama-2", "lora", "sft"),
            ("llama-2", "qlora", "sft"),
            ("llama-2", "full", "pt"),
            ("mistral", "dora", "sft"),
        )
        for quantization in ("f16", "q8_0")
    ),
    "tests/integration/test_stages.py": (
        (OWN, "lora", "kto", "q8_0"),
        (OWN, "full", "dpo", "f16"),
        (OWN, "freeze", "sft", "q4_k_m"),
        (OWN, "lora", "sft", "f16"),
    ),
}
"""What `make test` trains and asks as well, by the test that does."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cell as it ran last."""

    family: str
    method: str
    stage: str
    quantization: str
    asked: Sequence[str]
    taught: Sequence[str]
    answered: Sequence[str]
    """Empty where the model came to no answer."""
    parity: str
    """Conversations with the tokens of the training, of how many."""
    seconds: int
    date: str
    commit: str
    """What was checked out; a `+` after it: with changes."""

    @property
    def cell(self) -> tuple[str, ...]:
        """What tells it from the other records."""
        return self.family, self.method, self.stage, self.quantization

    @property
    def is_as_taught(self) -> bool:
        """Whether every question got the answer that was taught."""
        return list(self.answered) == list(self.taught)


def read_records() -> tuple[Cells, list[Record]]:
    """The cells of the matrix, and what was kept of those that ran."""
    kept = json.loads(RECORDS.read_text(encoding="utf-8"))
    return [tuple(cell) for cell in kept["cells"]], [Record(**each) for each in kept["records"]]


def keep_record(record: Record, cells: Cells) -> None:
    """Keeps it in place of the cell's earlier one, and no record of what is no cell any more."""
    with RECORDS.with_suffix(".md").open("r+", encoding="utf-8") as page:
        # Cells run side by side.
        fcntl.flock(page, fcntl.LOCK_EX)
        _, before = read_records()
        kept = {each.cell: each for each in before} | {record.cell: record}
        records = [asdict(kept[cell]) for cell in cells if cell in kept]
        content = {"cells": cells, "records": records}
        RECORDS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        page.truncate()
        page.write(render())


def render() -> str:
    """The whole page."""
    return "\n".join([*_lines(*read_records()), ""])


def _lines(cells: Cells, records: Sequence[Record]) -> Iterator[str]:
    yield HEAD
    well = sum(record.is_as_taught for record in records)
    yield f"Of {len(cells)} models {len(records)} have run, and {well} answered as taught.\n"
    yield _row("family", "method", "stage", "type", "asked", "answered", "", "parity", "seconds")
    yield _row(*["---"] * 8, "---:")
    ran = {record.cell: record for record in records}
    for cell in cells:
        if record := ran.get(cell):
            yield _row(*cell, *_outcome(record))
        else:
            yield _row(*cell, *[""] * 2, "not run yet", *[""] * 2)
    yield "\n## On every change\n"
    yield "`make test` takes these the same way:\n"
    yield _row("family", "method", "stage", "type", "test")
    yield _row(*["---"] * 5)
    for test, every in ON_EVERY_CHANGE.items():
        for cell in every:
            yield _row(*cell, f"`{test}`")
    yield "\n## When, and of which commit\n"
    runs = Counter((record.date, record.commit) for record in records)
    for (date, commit), count in sorted(runs.items()):
        yield f"* {date}, `{commit}`: {count} rows"


def _outcome(record: Record) -> Iterator[str]:
    yield record.asked[0]
    yield _cell_text(record.answered[0]) if record.answered else "nothing"
    yield "as taught" if record.is_as_taught else f"taught: {_cell_text(record.taught[0])}"
    yield record.parity
    yield str(record.seconds)


def _cell_text(text: str) -> str:
    """On one line; a bar would end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
