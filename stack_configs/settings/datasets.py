"""Settings of the data sets; every row must have what LLaMA-Factory will read (D1-D4)."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, PrivateAttr, ValidationInfo, model_validator

from stack_configs.settings.dataset_rows import Layout, check_rows, read_rows
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import StrictModel


class DatasetColumns(StrictModel):
    """Names of the columns, where they differ from LLaMA-Factory's own defaults."""

    prompt: Annotated[str | None, Field(description="The question or instruction (alpaca).")] = None
    query: Annotated[str | None, Field(description="What is added to the prompt (alpaca).")] = None
    response: Annotated[str | None, Field(description="The answer (alpaca).")] = None
    history: Annotated[
        str | None, Field(description="Earlier pairs of question and answer (alpaca).")
    ] = None
    messages: Annotated[
        str | None, Field(description="The turns of a conversation (sharegpt).")
    ] = None
    system: Annotated[str | None, Field(description="System prompt of the row.")] = None
    tools: Annotated[str | None, Field(description="Descriptions of the tools of the row.")] = None
    chosen: Annotated[str | None, Field(description="The better answer, for ranking.")] = None
    rejected: Annotated[str | None, Field(description="The worse answer, for ranking.")] = None
    kto_tag: Annotated[
        str | None, Field(description="Whether the answer is a good one, for KTO.")
    ] = None


class DatasetTags(StrictModel):
    """Keys and roles inside a ShareGPT turn; the defaults are LLaMA-Factory's own."""

    role_tag: Annotated[str, Field(description="Key of who speaks.")] = "from"
    content_tag: Annotated[str, Field(description="Key of what is said.")] = "value"
    user_tag: Annotated[str, Field(description="Role of the user.")] = "human"
    assistant_tag: Annotated[str, Field(description="Role of the model.")] = "gpt"
    observation_tag: Annotated[str, Field(description="Role of a tool's result.")] = "observation"
    function_tag: Annotated[str, Field(description="Role of a tool call.")] = "function_call"
    system_tag: Annotated[str, Field(description="Role of the system prompt.")] = "system"


class DatasetSettings(StrictModel):
    """One data file and how it is to be read."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", description="What training runs call it."),
    ]
    file: Annotated[
        Path, Field(description="A .json or .jsonl file, relative to the settings file.")
    ]
    # The guide writes `format`; LLaMA-Factory reads `formatting`. Either is understood.
    formatting: Annotated[
        Literal["alpaca", "sharegpt"],
        Field(
            validation_alias=AliasChoices("formatting", "format"),
            description="alpaca: a row is a question and its answer. sharegpt: a conversation.",
        ),
    ] = "alpaca"
    ranking: Annotated[bool, Field(description="Rows hold chosen and rejected answers.")] = False
    columns: DatasetColumns = DatasetColumns()
    tags: DatasetTags = DatasetTags()
    _columns_found: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def columns_found(self) -> frozenset[str]:
        """Columns that at least one row has; known once the file was read."""
        return self._columns_found

    @property
    def layout(self) -> Layout:
        """The columns and tags that the rows are read with, defaults filled in."""
        columns = self.columns
        if self.formatting == "sharegpt":
            return Layout(
                messages=columns.messages or "conversations",
                role_tag=self.tags.role_tag,
                content_tag=self.tags.content_tag,
                askers=(self.tags.user_tag, self.tags.observation_tag),
                answerers=(self.tags.assistant_tag, self.tags.function_tag),
                system_role=self.tags.system_tag,
                answers=self._ranked_answers(),
                verdict=columns.kto_tag,
            )
        return Layout(
            prompt=columns.prompt or "instruction",
            query=columns.query or "input",
            answers=self._ranked_answers() or self._answers(),
            verdict=columns.kto_tag,
        )

    @property
    def has_answers(self) -> bool:
        """False for texts alone, which only pre-training and PPO can use."""
        return self.formatting == "sharegpt" or bool(self.layout.answers)

    def _answers(self) -> tuple[str, ...]:
        """The answer's column. Unnamed and in no row: the data set has prompts alone."""
        response = self.columns.response or "output"
        wanted = self.columns.response is not None or response in self._columns_found
        return (response,) if wanted else ()

    def _ranked_answers(self) -> tuple[str, ...]:
        if self.ranking:
            return (self.columns.chosen or "chosen", self.columns.rejected or "rejected")
        return ()

    @model_validator(mode="after")
    def _file_can_be_read(self, info: ValidationInfo) -> Self:
        directory = (info.context or {}).get("directory")
        if directory is None:
            return self
        path = Path(directory) / self.file
        rows = read_rows(path)
        if isinstance(rows, str):
            raise rule_error(f"file {self.file} {rows}", "correct the path or the file")
        self._columns_found = frozenset(
            column for row in rows if isinstance(row, dict) for column in row
        )
        if missing := [
            column
            for column in self.columns.model_dump(exclude_none=True).values()
            if column not in self._columns_found
        ]:
            raise rule_error(
                f"file {self.file}: no row has the column {', '.join(map(repr, missing))}",
                "correct the names under columns",
            )
        if problems := check_rows(rows, self.layout):
            raise rule_error(
                f"file {self.file}: {'; '.join(problems)}",
                "correct the rows, or name their columns and tags under columns and tags",
            )
        # Absolute from here on: a plan must not depend on the directory that it is made in.
        object.__setattr__(self, "file", path.resolve())
        return self
