"""docs/gpu_memory.md: the memory estimate, beside what PyTorch and LLaMA-Factory say."""

from collections.abc import Iterator

from benchmarks.gpu_memory.comparison import Comparison, measured, tracked
from benchmarks.gpu_memory.published import COLUMNS, LENGTH, ROWS, Cell, Row, cells

HEAD = """<!-- Made by `python -m docs.generate` from the estimate and `benchmarks/gpu_memory`. -->

# The memory estimate, and how far it is right

`preview` tells for each run on a GPU host what it will hold on each GPU at its peak: weights,
gradients, the optimizer's figures, activations, and an overhead (the driver's context, and what the
allocator cannot use). It follows from the model's own configuration (what the hub says, the folder
in `base_model.path`, the settings of a generated model), else from the size in its name, and from
the run: method, rank and targets, optimizer, precision, batch, `cutoff_len`, checkpointing,
attention, stage, ZeRO. All rows are taken to be as long as `cutoff_len`. An estimate advises, and
refuses nothing.

Not counted: images and sound, layers that are neither attention nor gated feed-forward (the size in
the name is taken where `config.json` speaks of others), Unsloth's savings, the keys and values that
stage ppo keeps while it answers.
"""
TRACKED = """## Against PyTorch's own count

LLaMA-Factory's own model, adapter and precision, transformers' layers, forward, backward and
optimizer step, on tensors without content: every storage is counted as it comes and goes
(`python -m benchmarks.gpu_memory track`; no GPU, no weights). Attention keeps what flash attention
keeps on a GPU. GB, without the overhead. The largest error is {worst:.1%}.
"""
PUBLISHED = """## Against LLaMA-Factory's table

"Hardware Requirement" of its README, which calls itself estimated and names no batch: here batches
of one row of {length} tokens, with {models}. GB: the estimate, and how far it is from the table.
The last column is for 70B, in GB for each billion of weights, beside the table's own.

The table counts no room for a step of the optimizer, which needs a copy of all trained weights
(`full`; not with `optim: adamw_torch_fused`), and nothing of what BAdam keeps of the layers that it
passes through: LLaMA-Factory computes those alone again that are being trained.
"""
GPU = """
## Against a GPU

`python -m benchmarks.gpu_memory measure` trains models of random weights with LLaMA-Factory on the
engine's first GPU, and asks PyTorch how much it gave to tensors at the peak.
"""
NO_GPU = "Nobody has run it: no machine with a GPU was to be had."


def render() -> str:
    """The whole page."""
    return "\n".join([*_lines(), ""])


def _lines() -> Iterator[str]:
    comparisons = list(tracked())
    yield HEAD
    yield TRACKED.format(worst=max(abs(each.error) for each in comparisons))
    yield _row("run", "PyTorch", "estimate", "error")
    yield _row("---", "---:", "---:", "---:")
    yield from map(_compared, comparisons)
    models = ", ".join(COLUMNS.values())
    yield "\n" + PUBLISHED.format(length=LENGTH, models=models)
    yield _row("method", *COLUMNS, "each billion")
    yield _row("---", *["---:"] * len(COLUMNS), "---:")
    found = list(cells())
    for row in ROWS:
        yield _published(row, [cell for cell in found if cell.row is row])
    yield from _gpu(list(measured()))


def _gpu(comparisons: list[Comparison]) -> Iterator[str]:
    yield GPU
    if not comparisons:
        yield NO_GPU
        return
    yield _row("run", "GPU", "estimate", "error")
    yield _row("---", "---:", "---:", "---:")
    yield from map(_compared, comparisons)


def _compared(told: Comparison) -> str:
    return _row(
        told.case.name,
        f"{told.bytes / 1e9:.1f}",
        f"{told.case.estimate.allocated:.1f}",
        f"{told.error:+.1%}",
    )


def _published(row: Row, found: list[Cell]) -> str:
    last = found[-1]
    each = last.estimate.total / last.billions
    return _row(
        row.method,
        *(f"{cell.estimate.total:.0f} ({cell.error:+.0%} of {cell.published})" for cell in found),
        f"{each:.2f} ({row.for_each_billion:g})",
    )


def _row(*cells_: str) -> str:
    return f"| {' | '.join(cells_)} |"
