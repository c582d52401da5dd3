"""One data set's file or folder, read once: its digest, its columns, and whatever is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plan.identity import digest_of_files, file_digest
from stack_configs.settings.data_files.columns import BOOLEANS, CsvColumns, JsonColumns
from stack_configs.settings.data_files.conversations import OpenAiRows, ShareGptRows
from stack_configs.settings.data_files.failure import DataFileError, DataFileMissingError
from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.media import Media
from stack_configs.settings.data_files.reading import (
    DigestedFile,
    Rows,
    demand_magic,
    read_batches,
)
from stack_configs.settings.data_files.row_sizes import RowSizes, mixed
from stack_configs.settings.data_files.rows import AlpacaRows, RowCheck

LOADERS = {
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".txt": "text",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
"""What LLaMA-Factory reads, by suffix; all files of a folder must have the same reader."""

UNCHECKED = frozenset({".parquet", ".arrow"})
"""Formats whose rows LLaMA-Factory alone looks at."""

SHOWN = 10
"""Problems named per file; the rest are counted."""

ROWS_WAY_OUT = "correct the rows, or name their columns and tags under columns and tags"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is known of a data set whose rows are right."""

    digest: str
    """SHA-256 of the file, or of a folder's names and contents."""
    rows: int | None
    """None where they are not read here."""
    columns: tuple[str, ...]
    """Columns that at least one row has."""
    row_sizes: tuple[int, ...] = ()
    """Bytes of text in a sample of the rows."""
    media: str | None = None
    """SHA-256 of the media folder's names and contents, where rows name media files."""


@dataclass
class Problems:
    """The first problems of a file, and the number of all."""

    shown: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, number: int, found: Iterable[str]) -> None:
        """Take note of what was found in a row."""
        for problem in found:
            self.count += 1
            if len(self.shown) < SHOWN:
                self.shown.append((number, problem))

    def join(self, other: "Problems") -> None:
        """Take over another's, in the order of the rows."""
        self.shown = sorted([*self.shown, *other.shown], key=lambda entry: entry[0])[:SHOWN]
        self.count += other.count

    def told(self, unit: str) -> str:
        """The problems in words. Number 0 is the file as a whole."""
        words = [f"{unit} {n} {problem}" if n else problem for n, problem in self.shown]
        if self.count > len(self.shown):
            words.append(f"and {self.count - len(self.shown)} more")
        return "; ".join(words)


def data_files(path: Path) -> list[Path]:
    """The file, or the files of a folder by name.

    Raises `DataFileError` for what LLaMA-Factory does not read.
    """
    if not path.exists():
        raise DataFileMissingError
    if not path.is_dir():
        files = [path]
    elif not (files := sorted(path.iterdir())):
        raise DataFileError("is an empty folder")
    for file in files:
        if file.suffix not in LOADERS or not file.is_file():
            what = "must be a" if file == path else f"holds {file.name}, and not only"
            raise DataFileError(f"{what} file of one of {', '.join(LOADERS)}")
    if len({LOADERS[file.suffix] for file in files}) > 1:
        raise DataFileError("holds files of several formats", "keep one format in a folder")
    return files


def check_data(path: Path, layout: Layout, *, media_folder: Path) -> Findings:
    """What is known of a file or a folder of files.

    Raises `DataFileError` with everything that LLaMA-Factory would not train on, and `OSError`.
    """
    if not path.is_dir():
        (file,) = data_files(path)
        return _check_file(file, layout, Media(layout.media, media_folder))
    found = {}
    for file in data_files(path):
        try:
            found[file.name] = _check_file(file, layout, Media(layout.media, media_folder))
        except DataFileError as error:
            raise DataFileError(f"holds {file.name}, which {error.rule}", error.way_out) from None
    first, *others = found
    for name in others:
        if differing := set(found[first].columns) ^ set(found[name].columns):
            raise DataFileError(
                f"holds {first} and {name}, of which one alone has the column "
                f"{min(differing)!r}: LLaMA-Factory reads them in no order, and takes the columns "
                "from the first",
                "give all files of a folder the same columns",
            )
    sizes = [(findings.rows or 0, findings.row_sizes) for findings in found.values()]
    counts = [findings.rows for findings in found.values() if findings.rows is not None]
    return Findings(
        digest=digest_of_files({name: findings.digest for name, findings in found.items()}),
        rows=sum(counts) if counts else None,
        columns=found[first].columns,
        row_sizes=mixed(sizes),
    )


def _check_file(path: Path, layout: Layout, media: Media) -> Findings:
    before = path.stat()
    if path.suffix in UNCHECKED:
        with path.open("rb") as file:
            demand_magic(file.read(8), path.suffix)
        findings = Findings(digest=file_digest(path), rows=None, columns=())
    else:
        try:
            findings = _check_rows(path, layout, media)
        except (ValueError, RecursionError) as error:
            # Numbers of thousands of digits, and lists within lists without end.
            raise DataFileError(f"cannot be read ({error})") from error
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DataFileError("was changed while it was read", "wait until it is written")
    return findings


def _check_rows(path: Path, layout: Layout, media: Media) -> Findings:
    with DigestedFile(path) as file:
        unit, batches = read_batches(file, path.suffix)
        check = _Check(path.suffix, layout, media)
        for batch in batches:
            check.add(batch)
        if not check.count:
            raise DataFileError("must have at least one row")
        columns = check.end()
        if check.problems.count:
            told = check.problems.told(unit)
            raise DataFileError(f"cannot be trained on: {told}", ROWS_WAY_OUT)
        return Findings(
            digest=file.finish(),
            rows=check.count,
            columns=columns,
            row_sizes=check.sizes.sample,
        )


class _Check:
    """All checks of a file's rows, and what they have found so far."""

    def __init__(self, suffix: str, layout: Layout, media: Media) -> None:
        self.problems = Problems()
        self.sizes = RowSizes()
        self.count = 0
        self._layout = layout
        self._columns = CsvColumns(layout.texts) if suffix == ".csv" else JsonColumns()
        self._cells_say_verdicts = suffix == ".csv" and layout.verdict is not None
        self._rows = _row_check(suffix, layout, media)
        self._optional = layout.response if layout.response_is_optional else None
        self._questions = _row_check(suffix, replace(layout, response=None), media)
        self._unanswered = Problems()
        """Rows without an answer: right where no row has one."""

    def add(self, batch: Rows) -> None:
        """Check the rows that the loader reads in one go."""
        columns, optional, rows = self._columns.problems, self._optional, self._rows.problems
        sizes = self.sizes
        for number, row in batch:
            self.count += 1
            if self.count == sizes.next:
                sizes.add(row)
            if type(row) is not dict:
                self.problems.add(number, ["is not an object"])
                continue
            if found := columns(row):
                self.problems.add(number, found)
                continue
            if self._cells_say_verdicts:
                self._read_verdict(row)
            if optional is not None and optional not in row:
                self._unanswered.add(number, [f"has no text in column {optional!r}"])
                found = self._questions.problems(row)
            else:
                found = rows(row)
            if found:
                self.problems.add(number, found)
        self.problems.add(0, self._columns.end_batch())

    def end(self) -> tuple[str, ...]:
        """The columns that were found.

        Raises `DataFileError` where no row has one of those that the settings name.
        """
        found = self._columns.seen
        if missing := [column for column in self._layout.declared if column not in found]:
            raise DataFileError(
                f"has no row with the column {', '.join(map(repr, missing))}",
                "correct the names under columns",
            )
        if self._optional in found:
            self.problems.join(self._unanswered)
        return tuple(sorted(found))

    def _read_verdict(self, row: dict[str, Any]) -> None:
        column = self._layout.verdict or ""
        cell = row.get(column) or ""
        row[column] = BOOLEANS.get(cell, cell)


def _row_check(suffix: str, layout: Layout, media: Media) -> RowCheck:
    if layout.formatting == "sharegpt":
        return ShareGptRows(layout, media)
    if layout.formatting == "openai":
        return OpenAiRows(layout, media)
    # A blank line in a text file parts what stands before from what follows.
    return AlpacaRows(layout, media, question_required=suffix != ".txt")
