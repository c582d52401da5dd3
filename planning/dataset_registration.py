"""Data sets: where their files lie in the data volume, and `dataset_info.json` (D1-D4)."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plan import paths
from plan.identity import file_digest, identity
from plan.step import DatasetFile, DatasetRegistrationStep
from planning.step import PROJECT, Surroundings
from stack_configs.settings.datasets import DatasetSettings


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """One data set: its file, and its entry in `dataset_info.json`."""

    file: DatasetFile
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """As training runs name it."""
        return self.file.name

    @property
    def content(self) -> tuple[Any, ...]:
        """What is trained on: the rows, and how they are read. No name, no place."""
        reading = {key: value for key, value in self.entry.items() if key != "file_name"}
        return (self.file.digest, reading)


def plan_datasets(settings: Sequence[DatasetSettings]) -> tuple[DatasetPlan, ...]:
    """Every declared data set. Reads the files for their digests."""
    return tuple(_plan_dataset(dataset) for dataset in settings)


def plan_dataset_registration(
    datasets: Sequence[DatasetPlan], around: Surroundings
) -> DatasetRegistrationStep:
    """The registration of every declared data set."""
    info = render_dataset_info(datasets)
    mark = identity("dataset-registration", info)
    return DatasetRegistrationStep(
        name=around.name("dataset-registration"),
        identity=mark,
        image=around.images.llamafactory.reference,
        mount=around.volumes.data.mount(),
        files=tuple(dataset.file for dataset in datasets),
        info=info,
        marker=str(paths.data_marker(mark)),
    )


def render_dataset_info(datasets: Sequence[DatasetPlan]) -> str:
    """`dataset_info.json` for these data sets, as LLaMA-Factory reads it."""
    info = {dataset.name: dict(dataset.entry) for dataset in datasets}
    return json.dumps(info, indent=2, ensure_ascii=False) + "\n"


def _plan_dataset(settings: DatasetSettings) -> DatasetPlan:
    digest = file_digest(settings.file)
    # Named after the data set: a file that was only renamed is still the same data.
    target = str(paths.data_file(digest, f"{settings.name}{settings.file.suffix}"))
    entry: dict[str, Any] = {
        # Absolute: LLaMA-Factory joins it to the dataset_dir, whichever that is.
        "file_name": target,
        "formatting": settings.formatting,
        "columns": _columns(settings),
    }
    if settings.ranking:
        entry["ranking"] = True
    if settings.formatting == "sharegpt":
        entry["tags"] = settings.tags.model_dump()
    file = DatasetFile(
        name=settings.name,
        source=os.path.relpath(settings.file, PROJECT),
        digest=digest,
        target=target,
    )
    return DatasetPlan(file=file, entry=entry)


def _columns(settings: DatasetSettings) -> dict[str, str]:
    """Every column that is read: LLaMA-Factory drops its defaults once `columns` is there.

    A column that no row has must not be named: reading it would be a KeyError.
    """
    layout = settings.layout
    optional = settings.columns.model_dump(
        include={"history", "system", "tools"}, exclude_none=True
    )
    if layout.messages is not None:
        columns = {"messages": layout.messages}
    else:
        columns = {"prompt": layout.prompt or "", "query": layout.query or ""}
        if layout.answers and not settings.ranking:
            columns["response"] = layout.answers[0]
    if settings.ranking:
        columns |= dict(zip(("chosen", "rejected"), layout.answers, strict=True))
    if settings.columns.kto_tag:
        columns["kto_tag"] = settings.columns.kto_tag
    return {
        key: column
        for key, column in (columns | optional).items()
        if column in settings.columns_found or key == "messages"
    }
