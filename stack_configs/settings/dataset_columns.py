"""Settings of a data set's columns and tags, named as LLaMA-Factory names them (D1, D2)."""

from typing import Annotated

from pydantic import Field

from stack_configs.settings.strict_model import StrictModel, Words


class DatasetColumns(StrictModel):
    """Names of the columns, where they differ from LLaMA-Factory's own defaults."""

    prompt: Annotated[
        Words | None,
        Field(description="The question or instruction (alpaca); the text, for pre-training."),
    ] = None
    query: Annotated[Words | None, Field(description="What is added to the prompt (alpaca).")] = (
        None
    )
    response: Annotated[Words | None, Field(description="The answer (alpaca).")] = None
    history: Annotated[
        Words | None, Field(description="Earlier pairs of question and answer (alpaca).")
    ] = None
    messages: Annotated[
        Words | None, Field(description="The turns of a conversation (sharegpt, openai).")
    ] = None
    system: Annotated[Words | None, Field(description="System prompt of the row.")] = None
    tools: Annotated[
        Words | None,
        Field(description="The tools of the row: a list of them, written as JSON inside a text."),
    ] = None
    images: Annotated[
        Words | None,
        Field(description="Image files of the row, one `<image>` in its texts for each."),
    ] = None
    videos: Annotated[
        Words | None,
        Field(description="Video files of the row, one `<video>` in its texts for each."),
    ] = None
    audios: Annotated[
        Words | None,
        Field(description="Audio files of the row, one `<audio>` in its texts for each."),
    ] = None
    chosen: Annotated[Words | None, Field(description="The better answer, for ranking.")] = None
    rejected: Annotated[Words | None, Field(description="The worse answer, for ranking.")] = None
    kto_tag: Annotated[
        Words | None, Field(description="Whether the answer is a good one, for KTO.")
    ] = None


class DatasetTags(StrictModel):
    """Keys and roles inside a turn, where they differ from the defaults of the format."""

    role_tag: Annotated[
        Words | None, Field(description="Key of who speaks: `from`, in openai `role`.")
    ] = None
    content_tag: Annotated[
        Words | None, Field(description="Key of what is said: `value`, in openai `content`.")
    ] = None
    user_tag: Annotated[
        Words | None, Field(description="Role of the user: `human`, in openai `user`.")
    ] = None
    assistant_tag: Annotated[
        Words | None, Field(description="Role of the model: `gpt`, in openai `assistant`.")
    ] = None
    observation_tag: Annotated[
        Words | None, Field(description="Role of a tool's result: `observation`, in openai `tool`.")
    ] = None
    function_tag: Annotated[
        Words | None, Field(description="Role of a tool call: `function_call`.")
    ] = None
    system_tag: Annotated[
        Words | None, Field(description="Role of the system prompt: `system`.")
    ] = None
