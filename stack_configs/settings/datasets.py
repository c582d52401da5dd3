"""Settings of the data sets: where the rows are, and how LLaMA-Factory is to read them (D1-D6)."""

import difflib
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, PrivateAttr, ValidationInfo, model_validator

from stack_configs.settings.data_files.check import Findings
from stack_configs.settings.data_files.failure import DataFileError, DataFileMissingError
from stack_configs.settings.data_files.layout import PLACEHOLDERS, Formatting, Layout, Tags
from stack_configs.settings.data_files.record import find
from stack_configs.settings.dataset_columns import DatasetColumns, DatasetTags
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Count, HubId, StrictModel, Words
from stack_configs.settings.way_out import LONGEST_WORD

SOURCES = ("file", "hf_hub_url", "ms_hub_url")


OPENAI_TAGS = Tags(
    role="role", content="content", user="user", assistant="assistant", observation="tool"
)


class DatasetSettings(StrictModel):
    """Rows to train on, and how they are to be read."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$", description="What training runs call it."
        ),
    ]
    file: Annotated[
        Path | None,
        Field(
            description="A .json, .jsonl, .csv or .txt file, or a folder of files of one format, "
            "relative to the settings file: every row is checked. Rows of .parquet and .arrow "
            "files are registered unseen, with `columns` as given or LLaMA-Factory's defaults; "
            "LLaMA-Factory checks them when it loads them.",
        ),
    ] = None
    hf_hub_url: Annotated[
        HubId | None,
        Field(
            description="A data set of the Hugging Face hub (`owner/name`) in place of a file. It "
            "is loaded as it is when a run begins: a later change there trains nothing again.",
        ),
    ] = None
    ms_hub_url: Annotated[
        HubId | None,
        Field(
            description="The same of ModelScope.",
        ),
    ] = None
    subset: Annotated[Words | None, Field(description="Part of a hub's data set, by name.")] = None
    folder: Annotated[
        str | None,
        Field(
            pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$",
            description="Folder in a hub's data set.",
            examples=["data/train"],
        ),
    ] = None
    split: Annotated[
        Words | None,
        Field(description="Split to train on: `train`, or a part such as `train[:10%]`."),
    ] = None
    num_samples: Annotated[
        Count | None,
        Field(description="Rows drawn at random; more than there are repeats some."),
    ] = None
    # The guide writes `format`; LLaMA-Factory reads `formatting`. Either is understood.
    formatting: Annotated[
        Formatting,
        Field(
            validation_alias=AliasChoices("formatting", "format"),
            description="alpaca: a row is a question and its answer. sharegpt: a conversation. "
            "openai: OpenAI's messages with `tool_calls`; LLaMA-Factory adds `detailed thinking "
            "off` to the system prompt of such rows, sharegpt with the tags of openai does not.",
        ),
    ] = "alpaca"
    ranking: Annotated[bool, Field(description="Rows hold chosen and rejected answers.")] = False
    media_dir: Annotated[
        Path | None,
        Field(
            description="Folder that the paths in columns images, videos and audios start from, "
            "relative to the settings file. All of it is put into the data volume."
        ),
    ] = None
    columns: DatasetColumns = DatasetColumns()
    tags: DatasetTags = DatasetTags()
    _findings: Findings | None = PrivateAttr(default=None)

    @property
    def findings(self) -> Findings | None:
        """What the file holds; None for a data set of a hub."""
        return self._findings

    @property
    def is_checked(self) -> bool:
        """Whether the rows were read here."""
        return self._findings is not None and self._findings.rows is not None

    @property
    def read_tags(self) -> Tags:
        """The tags, those of the format filled in."""
        defaults = OPENAI_TAGS if self.formatting == "openai" else Tags()
        given = self.tags.model_dump(exclude_none=True)
        named = {tag.removesuffix("_tag"): word for tag, word in given.items()}
        return Tags(**{**vars(defaults), **named})

    @property
    def layout(self) -> Layout:
        """The columns and tags that the rows are read with, defaults filled in."""
        columns = self.columns
        common: dict[str, Any] = {
            "formatting": self.formatting,
            "system": columns.system,
            "tools": columns.tools,
            "verdict": columns.kto_tag,
            "media": tuple(
                (placeholder, column)
                for kind, placeholder in PLACEHOLDERS.items()
                if (column := getattr(columns, kind))
            ),
            "ranked": (columns.chosen or "chosen", columns.rejected or "rejected")
            if self.ranking
            else (),
            "declared": tuple(columns.model_dump(exclude_none=True).values()),
        }
        if self.formatting != "alpaca":
            messages = "messages" if self.formatting == "openai" else "conversations"
            return Layout(messages=columns.messages or messages, tags=self.read_tags, **common)
        is_text = self.file is not None and self.file.suffix == ".txt"
        return Layout(
            prompt=columns.prompt or ("text" if is_text else "instruction"),
            query=columns.query or "input",
            response=None if self.ranking else columns.response or "output",
            response_is_optional=columns.response is None,
            history=columns.history,
            **common,
        )

    @property
    def has_answers(self) -> bool:
        """False for texts alone, which only pre-training and PPO can use."""
        if self.formatting != "alpaca" or self.ranking or self.columns.response is not None:
            return True
        if self._findings is None or not self.is_checked:
            # LLaMA-Factory's defaults, answer included, stand only where no column is named.
            return not self.columns.model_dump(exclude_none=True)
        return self.layout.response in self._findings.columns

    @model_validator(mode="after")
    def _source_is_clear(self) -> Self:
        given = [source for source in SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            raise rule_error(
                "needs one source of rows: a file, or a data set of a hub",
                f"give one of {', '.join(SOURCES)}",
            )
        if self.file is not None and (self.subset or self.folder):
            raise rule_error(
                "subset and folder are of a hub's data set, and this one is a file",
                "remove them, or name the folder as the file",
            )
        if self.layout.media and self.file is not None and self.media_dir is None:
            raise rule_error(
                "columns name media files, and media_dir does not say where they are",
                "set media_dir to the folder that their paths start from",
            )
        if self.media_dir is not None and not (self.layout.media and self.file):
            raise rule_error(
                "media_dir is set, and no column of a file names images, videos or audios",
                "remove it, or name the column under columns",
            )
        return self

    @model_validator(mode="after")
    def _file_can_be_read(self, info: ValidationInfo) -> Self:
        context = info.context or {}
        directory = context.get("directory")
        if directory is None or self.file is None:
            return self
        # Absolute from here on: a plan must not depend on the directory that it is made in.
        path, media = (_absolute(directory, given) for given in (self.file, self.media_dir))
        if self.media_dir is not None and not os.path.isdir(media):  # noqa: PTH112 - of any length
            raise rule_error(f"media_dir {self.media_dir} is no folder", "correct the path")
        try:
            self._findings = find(
                path,
                self.layout,
                media_folder=media,
                records=context.get("records"),
            )
        except DataFileError as error:
            is_missing = isinstance(error, DataFileMissingError)
            way_out = _way_to(path, written=str(self.file)) if is_missing else error.way_out
            raise rule_error(f"file {self.file} {error.rule}", way_out) from None
        object.__setattr__(self, "file", path)
        if self.media_dir is not None:
            object.__setattr__(self, "media_dir", media)
        return self


def _absolute(directory: str | Path, given: Path | None) -> Path:
    """The place of what is named from the settings file, links followed as far as they lead."""
    return Path(os.path.realpath(Path(directory) / (given or "")))


def _way_to(path: Path, *, written: str) -> str:
    """What an operator may have meant by a file that is not there."""
    if written.startswith("~") or "$" in written:
        return "write the whole path: ~ and variables are taken as they are"
    if "\\" in written:
        return "write the path with /"
    with suppress(OSError):
        beside = {
            name.lower(): file.name
            for file in path.parent.iterdir()
            for name in (file.stem, file.name)
        }
        written = path.name.lower()[:LONGEST_WORD]
        if close := difflib.get_close_matches(written, beside, n=1, cutoff=0.8):
            return f"did you mean {beside[close[0]]}"
    return "correct the path or the file"
