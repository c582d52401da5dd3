"""The schedule of a run: its steps, and what it reads in each (T2, T6).

As the trainer of LLaMA-Factory 0.9.5 counts: an epoch ends with a step that may be smaller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from plan.host import HostFacts
from planning.accelerator import count_processes
from planning.forecast.rows import PAIRED, PREPROCESSED, RunRows, is_packed, rows_of
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

PADDED_TO = 8
"""Batches are filled up to a multiple of so many tokens."""
PPO_BUFFER = 1
"""Default of LLaMA-Factory's `ppo_buffer_size`."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of a run."""

    steps: int
    rows_per_step: int
    """On all devices; rows that were packed into one count as one."""
    rows: float | None = None
    """That are read in the whole run; None where nobody knows them."""
    row_tokens: float | None = None
    """Of one row with its padding, or its two answers: an estimate."""

    @property
    def tokens_per_step(self) -> float | None:
        """On all devices."""
        return None if self.row_tokens is None else self.row_tokens * self.rows_per_step

    @property
    def tokens(self) -> float | None:
        """Of the whole run."""
        if self.row_tokens is None or self.rows is None:
            return None
        return self.row_tokens * self.rows


def schedule_of(run: TrainingRunSettings, settings: Settings, devices: int) -> Schedule | None:
    """The schedule of a run on so many devices; None where the number of its rows decides, and
    nobody knows it."""
    per_step = run.per_device_train_batch_size * run.gradient_accumulation_steps * devices
    if run.stage == "ppo":
        per_step *= int(run.arguments.get("ppo_buffer_size", PPO_BUFFER))
    rows = rows_of(run, settings)
    if rows is None:
        if run.max_steps is None:
            return None
        return Schedule(steps=run.max_steps, rows_per_step=per_step)
    count = max(1, _computed_rows(run, rows))
    epochs = run.num_train_epochs
    return Schedule(
        steps=run.max_steps or ceil(ceil(count / per_step) * epochs),
        rows_per_step=per_step,
        rows=run.max_steps * per_step if run.max_steps else count * epochs,
        # Of PPO's tokens most are yet to be generated.
        row_tokens=None if run.stage == "ppo" else _row_tokens(run, rows),
    )


def devices_of(settings: Settings, facts: HostFacts) -> int | None:
    """Devices that train together, of every host of a cluster; None where nobody counted them."""
    host = settings.host
    devices = count_processes(host, facts)
    if isinstance(devices, str):
        return None
    return devices * (host.cluster.nodes if host.cluster else 1)


def schedules_of(
    model: ModelSettings, settings: Settings, facts: HostFacts
) -> Mapping[str, Schedule]:
    """The schedules of a model's runs by their names, as far as they are known."""
    devices = devices_of(settings, facts)
    if devices is None:
        return {}
    found = {run.name: schedule_of(run, settings, devices) for run in model.training_runs}
    return {name: schedule for name, schedule in found.items() if schedule is not None}


def foretell_tokens(
    model: ModelSettings, settings: Settings, facts: HostFacts
) -> Mapping[str, float]:
    """What each run of a model reads, as far as it is known."""
    schedules = schedules_of(model, settings, facts)
    return {
        name: round(schedule.tokens, 1)
        for name, schedule in schedules.items()
        if schedule.tokens is not None
    }


def _computed_rows(run: TrainingRunSettings, rows: RunRows) -> int:
    """In one epoch, as they reach the model."""
    if not is_packed(run):
        return rows.count
    if run.stage == "pt":
        return rows.joined(int(run.arguments.get("preprocessing_batch_size", PREPROCESSED)))
    return rows.packed()


def _row_tokens(run: TrainingRunSettings, rows: RunRows) -> float:
    if is_packed(run):
        # Whole rows leave room for one more, so that attention sees some padding.
        return run.cutoff_len if run.stage == "pt" else _filled_up(run.cutoff_len + 1)
    sequences = 2 if run.stage in PAIRED else 1
    together = sequences * run.per_device_train_batch_size
    return sequences * rows.padded_mean(together, multiple=PADDED_TO)


def _filled_up(tokens: int) -> int:
    return ceil(tokens / PADDED_TO) * PADDED_TO
