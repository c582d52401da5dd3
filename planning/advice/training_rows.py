"""What the length and the number of a run's rows say of its speed and its checkpoints (T6)."""

from collections.abc import Iterator

from plan.host import HostFacts
from plan.problem import Problem
from planning.advice.devices import found_gb, processes
from planning.forecast.rows import RunRows, is_packed, rows_of
from planning.forecast.schedule import Schedule, schedule_of
from planning.memory.model_size import billions_of
from planning.resumption import can_resume
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

MANY_TOKENS = 100_000
"""Of a run; one with fewer is over before it matters."""
SHORT = 0.25
"""Share of `cutoff_len` below which rows are short."""
PACKING_GAIN = 3
"""torchtune, a 3B model on an A100: 2,091 tokens a second, packed 7,075."""
WASTED = 0.3
"""Share of padding that is worth a word."""
FEW_STEPS = 10
"""A learning rate that rises and falls needs more of them."""
FEW_ROWS = 50
"""Whoever has fewer is trying something out."""
FASTEST = 400e12
"""Operations a second that no GPU of today passes in training, in 16 bits: a run takes longer."""
LONG_HOURS = 1.0
SECONDS_PER_HOUR = 3600


def about_training_rows(settings: Settings, facts: HostFacts) -> Iterator[Problem]:
    """Batches that are mostly empty, steps that are too few, checkpoints that come too late.

    Nothing of rows that were not read here. On a processor every token costs the same, padded or
    packed, and nobody knows its speed: there only the steps are counted.
    """
    has_gpus = settings.host.hardware != "cpu"
    together = processes(settings.host, found_gb(facts)) if has_gpus else 1
    for model_index, model in enumerate(settings.models):
        billions = billions_of(model.base_model, facts)
        for run_index, run in enumerate(model.training_runs):
            key = f"models[{model_index}].training_runs[{run_index}]"
            rows = rows_of(run, settings)
            if rows is None or run.stage not in ("pt", "sft") or is_packed(run):
                continue
            if has_gpus and rows.count * rows.mean * run.num_train_epochs > MANY_TOKENS:
                yield from _about_batches(run, rows, key)
            if together is None:
                continue
            schedule = schedule_of(run, settings, together)
            if schedule is None:
                continue
            yield from _about_steps(run, rows, schedule, key)
            if has_gpus:
                hours = _hours_per_step(run, schedule, together, billions or 0.0)
                yield from _about_checkpoints(run, schedule, hours, key)


def _about_batches(run: TrainingRunSettings, rows: RunRows, key: str) -> Iterator[Problem]:
    together = run.per_device_train_batch_size
    padding = 1 - rows.mean / rows.padded_mean(together)
    room, order = rows.mean / run.cutoff_len, run.arguments.get("train_sampling_strategy", "random")
    if run.stage == "sft" and room * together < SHORT:
        yield Problem(
            f"{key}.neat_packing",
            "",
            f"rows have about {rows.mean:.0f} tokens, so that a batch of {together} fills "
            f"{room * together:.0%} of the {run.cutoff_len} that cutoff_len has room for: packed, "
            f"{1 / room:.0f} rows are computed at a time, and others saw {PACKING_GAIN} times the "
            "speed",
            "Set neat_packing: true, and gradient_accumulation_steps to 1: a step takes "
            f"{run.gradient_accumulation_steps * together} rows now",
        )
    elif padding > WASTED and order != "group_by_length":
        yield Problem(
            f"{key}.train_sampling_strategy",
            repr(order),
            f"rows differ so much in length that about {padding:.0%} of a batch is padding",
            "Set it to group_by_length, which puts rows of one length together: up to "
            f"{1 / (1 - padding):.1f} times as fast",
        )


def _about_steps(
    run: TrainingRunSettings, rows: RunRows, schedule: Schedule, key: str
) -> Iterator[Problem]:
    if rows.count < FEW_ROWS:
        return
    if run.max_steps is None and schedule.steps < FEW_STEPS:
        yield Problem(
            f"{key}.gradient_accumulation_steps",
            str(run.gradient_accumulation_steps),
            f"a step takes {schedule.rows_per_step} rows, and the data sets have {rows.count}: the "
            f"weights are changed {schedule.steps} times in all",
            "Lower it, or per_device_train_batch_size, or raise num_train_epochs",
        )
    if run.warmup_steps >= schedule.steps:
        yield Problem(
            f"{key}.warmup_steps",
            str(run.warmup_steps),
            f"the run has {schedule.steps} steps, so that the learning rate never gets to its peak",
            f"Set it to {schedule.steps // 10} or so",
        )


def _hours_per_step(
    run: TrainingRunSettings, schedule: Schedule, devices: int, billions: float
) -> float:
    """At the very least."""
    # For each weight and token: two operations forward, two back to the layer before, two for the
    # weight itself where it is trained, and two more where layers are computed again.
    operations = 4 + (2 if run.finetuning_type == "full" else 0)
    operations += 2 if run.gradient_checkpointing else 0
    tokens = (schedule.tokens_per_step or 0) / devices
    return tokens * operations * billions * 1e9 / FASTEST / SECONDS_PER_HOUR


def _about_checkpoints(
    run: TrainingRunSettings, schedule: Schedule, hours_per_step: float, key: str
) -> Iterator[Problem]:
    if not can_resume(run) or run.arguments.get("save_strategy", "steps") != "steps":
        return
    apart = min(run.save_steps, schedule.steps)
    hours = apart * hours_per_step
    if hours < LONG_HOURS:
        return
    yield Problem(
        f"{key}.save_steps",
        str(run.save_steps),
        f"the {apart} steps from one checkpoint to the next take {hours:.1f} hours at least, on "
        "the fastest GPUs too, and a run that is killed loses as much",
        f"Set it to {max(1, int(LONG_HOURS / 2 / hours_per_step))} or less",
    )
