"""What faults have led to, each as it ran last: kept beside the page that is made of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RECORDS = Path(__file__).parents[1] / "docs/faults.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One fault as it was tried last."""

    fault: str
    complaints: Sequence[str]
    healing: Sequence[str]
    answered: int
    seconds: float
    date: str
    commit: str


def read_records(file: Path = RECORDS) -> dict[str, Record]:
    """By the fault's name."""
    if not file.exists():
        return {}
    return {each["fault"]: Record(**each) for each in json.loads(file.read_text(encoding="utf-8"))}


def keep_record(record: Record, file: Path = RECORDS) -> None:
    """Put it in the place of what the same fault led to before."""
    records = {**read_records(file), record.fault: record}
    listed = [asdict(records[name]) for name in sorted(records)]
    file.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
