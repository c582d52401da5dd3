"""What changed since the last run of a step: its settings as rendered, beside those before."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from plan.paths import DATASET_INFO
from report.traces import Trace

PLACES = frozenset({"output_dir", "dataset_dir", "export_dir"})
"""Arguments that name the run's own folder, and so differ always."""

ABSENT = "(not set)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting of a run, before and now."""

    key: str
    before: str
    now: str


def changes_between(before: Trace, now: Trace) -> list[Change]:
    """Every argument and every data set that differs; a folder of a base model by its identity."""
    old, new = dict(_settings(before)), dict(_settings(now))
    return [
        Change(key=key, before=old.get(key, ABSENT), now=new.get(key, ABSENT))
        for key in sorted(old.keys() | new.keys())
        if old.get(key, ABSENT) != new.get(key, ABSENT)
    ]


def _settings(trace: Trace) -> Iterator[tuple[str, str]]:
    for name, text in sorted(trace.texts.items()):
        if name.endswith(".yaml"):
            yield from (
                (key, _told(value)) for key, value in _mapping(text).items() if key not in PLACES
            )
    try:
        info = json.loads(trace.texts.get(DATASET_INFO, "{}"))
    except ValueError:
        return
    for name, entry in info.items():
        if isinstance(entry, dict) and "file_name" in entry:
            # The folder of a data file is its content's digest.
            yield f"data set {name}", PurePosixPath(str(entry["file_name"])).parent.name


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(value: object) -> str:
    if isinstance(value, str) and value.startswith("/"):
        return PurePosixPath(value).name
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
