"""Data sets: where their files lie in the data volume, and `dataset_info.json` (D1-D6)."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plan import paths
from plan.identity import identity
from plan.step import DatasetFile, DatasetRegistrationStep
from planning.step import PROJECT, Surroundings
from stack_configs.settings.data_files.check import data_files
from stack_configs.settings.dataset_columns import DatasetColumns
from stack_configs.settings.datasets import DatasetSettings


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """One data set: its files, and its entry in `dataset_info.json`."""

    name: str
    """As training runs name it."""
    data: DatasetFile | None
    """Its rows, a file or a folder; None for a data set of a hub."""
    media: DatasetFile | None
    """The folder that the rows' media paths start from."""
    rows: Mapping[str, str]
    """Files with rows: a name of its own for each -> its path from the project's folder."""
    entry: Mapping[str, Any]

    @property
    def files(self) -> tuple[DatasetFile, ...]:
        """What is put into the data volume."""
        return tuple(file for file in (self.data, self.media) if file is not None)

    @property
    def has_tools(self) -> bool:
        """Whether its rows say which tools there are."""
        return "tools" in self.entry.get("columns", {})

    @property
    def content(self) -> tuple[Any, ...]:
        """What is trained on: the rows, how they are read, and their media. No name, no place."""
        reading = {key: value for key, value in self.entry.items() if key != "file_name"}
        rows = self.data.digest if self.data else None
        return (rows, reading, self.media.digest) if self.media else (rows, reading)


def plan_datasets(settings: Sequence[DatasetSettings]) -> tuple[DatasetPlan, ...]:
    """Every declared data set."""
    return tuple(_plan_dataset(dataset) for dataset in settings)


def plan_dataset_registration(
    datasets: Sequence[DatasetPlan], around: Surroundings
) -> DatasetRegistrationStep:
    """The registration of every declared data set."""
    info = render_dataset_info(datasets)
    files = tuple(file for dataset in datasets for file in dataset.files)
    # The register names a data file by its content, and says nothing of media.
    media = [dataset.media.digest for dataset in datasets if dataset.media]
    mark = identity("dataset-registration", info, *media)
    return DatasetRegistrationStep(
        name=around.name("dataset-registration"),
        identity=mark,
        image=around.images.llamafactory.reference,
        mount=around.volumes.data.mount(),
        files=files,
        info=info,
        marker=str(paths.data_marker(mark)),
    )


def render_dataset_info(datasets: Sequence[DatasetPlan]) -> str:
    """`dataset_info.json` for these data sets, as LLaMA-Factory reads it."""
    info = {dataset.name: dict(dataset.entry) for dataset in datasets}
    return json.dumps(info, indent=2, ensure_ascii=False) + "\n"


def _plan_dataset(settings: DatasetSettings) -> DatasetPlan:
    data = _data_file(settings)
    return DatasetPlan(
        name=settings.name,
        data=data,
        media=_media_folder(settings),
        rows=_rows(settings),
        entry=_entry(settings, data),
    )


def _data_file(settings: DatasetSettings) -> DatasetFile | None:
    if settings.file is None or settings.findings is None:
        return None
    digest = settings.findings.digest
    # Named after the data set: a file that was only renamed is still the same data.
    target = paths.data_file(digest, f"{settings.name}{settings.file.suffix}")
    return DatasetFile(
        name=settings.name, source=_source(settings.file), digest=digest, target=str(target)
    )


def _media_folder(settings: DatasetSettings) -> DatasetFile | None:
    if settings.media_dir is None or settings.findings is None or not settings.findings.media:
        return None
    digest = settings.findings.media
    return DatasetFile(
        name=settings.name,
        source=_source(settings.media_dir),
        digest=digest,
        target=str(paths.media_folder(digest)),
    )


def _rows(settings: DatasetSettings) -> dict[str, str]:
    file = settings.file
    if file is None:
        return {}
    if file.is_dir():
        return {f"{settings.name}/{part.name}": _source(part) for part in data_files(file)}
    return {f"{settings.name}{file.suffix}": _source(file)}


def _source(path: Path) -> str:
    return os.path.relpath(path, PROJECT)


def _entry(settings: DatasetSettings, data: DatasetFile | None) -> dict[str, Any]:
    """What LLaMA-Factory reads of the data set, in its own words."""
    hub = settings.model_dump(include={"hf_hub_url", "ms_hub_url"}, exclude_none=True)
    entry: dict[str, Any] = {
        # Absolute: LLaMA-Factory joins it to the dataset_dir, whichever that is.
        **({"file_name": data.target} if data else hub),
        "formatting": settings.formatting,
    }
    if columns := _columns(settings):
        entry["columns"] = columns
    if settings.ranking:
        entry["ranking"] = True
    if settings.formatting != "alpaca":
        tags = dataclasses.asdict(settings.read_tags)
        entry["tags"] = {f"{tag}_tag": word for tag, word in tags.items()}
    parts = {"subset", "split", "folder", "num_samples"}
    return entry | settings.model_dump(include=parts, exclude_none=True)


def _columns(settings: DatasetSettings) -> dict[str, str]:
    """Every column that is read: LLaMA-Factory drops its defaults once `columns` is there.

    A column that no row has must not be named: reading it would be a KeyError. Of rows that were
    not read here, those columns are named that the settings name; where there is none, the
    defaults stand.
    """
    layout, named = settings.layout, settings.columns.model_dump(exclude_none=True)
    needed = {"messages": layout.messages, "prompt": layout.prompt}
    if settings.ranking:
        needed |= dict(zip(("chosen", "rejected"), layout.ranked, strict=True))
    if settings.findings is not None and settings.is_checked:
        wanted = {**needed, "query": layout.query, "response": layout.response}
        found = {*settings.findings.columns, layout.messages}
        wanted = {key: column for key, column in wanted.items() if column in found}
    else:
        unnamed = settings.formatting == "alpaca" and not settings.ranking and not named
        wanted = {} if unnamed else needed
    ordered = {key: wanted.get(key) for key in DatasetColumns.model_fields}
    return {key: column for key, column in (ordered | named).items() if column is not None}
