"""What a data set's rows are read with: columns and tags, every default filled in."""

from dataclasses import dataclass
from typing import Literal

Formatting = Literal["alpaca", "sharegpt", "openai"]

PLACEHOLDERS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}
"""What stands in a text for each kind of media file."""


@dataclass(frozen=True, kw_only=True)
class Tags:
    """Keys and roles of a conversation's turns."""

    role: str = "from"
    content: str = "value"
    user: str = "human"
    assistant: str = "gpt"
    observation: str = "observation"
    function: str = "function_call"
    system: str = "system"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns that are read. `prompt` is for alpaca, `messages` for the other two."""

    formatting: Formatting = "alpaca"
    prompt: str | None = None
    query: str | None = None
    response: str | None = None
    response_is_optional: bool = False
    """Nobody named the column: where no row has it, the data set has prompts alone."""
    history: str | None = None
    messages: str | None = None
    tags: Tags = Tags()
    ranked: tuple[str, ...] = ()
    """Columns of the better and of the worse answer, for ranking."""
    system: str | None = None
    tools: str | None = None
    verdict: str | None = None
    """Column that says whether an answer is wanted (KTO)."""
    media: tuple[tuple[str, str], ...] = ()
    """Pairs of a placeholder in the texts and the column that names its files."""
    declared: tuple[str, ...] = ()
    """Columns that the settings name: some row must have each of them."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns that LLaMA-Factory takes as text."""
        named = [self.prompt, self.query, self.response, self.system, self.tools]
        if self.formatting == "alpaca":
            named += self.ranked
        return tuple(column for column in named if column is not None)
