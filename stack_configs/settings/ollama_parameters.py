"""PARAMETER lines of a Modelfile: `ollama create` would refuse a wrong one after the training."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Count, StrictModel

Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""What llama.cpp takes."""

LEFT_OUT = frozenset({"Cf", "Co", "Zl", "Zp", "Zs"})
"""Categories of characters that Ollama leaves out of a Modelfile, but for the plain space."""


def _demand_quotable(text: str) -> str:
    if found := _unquotable(text):
        raise rule_error(*found)
    return text


def demand_system_text(key: str, system: Any) -> None:
    """Raises a rule's error for a system prompt of the training that no Modelfile can hold."""
    if not isinstance(system, str):
        raise rule_error(
            f"{key} is {system!r}; it becomes the Modelfile's SYSTEM and must be a text",
            "write it in quotes",
        )
    if found := _unquotable(system):
        rule, way_out = found
        raise rule_error(f"{key} becomes the Modelfile's SYSTEM, and {rule}", way_out)


def _unquotable(text: str) -> tuple[str, str] | None:
    """Why a Modelfile cannot hold a text as it is, and the way out; None where it can."""
    if '"""' in text:
        return 'the text holds """, which a Modelfile cannot quote', "use other quotation marks"
    for character in text:
        if character != " " and unicodedata.category(character) in LEFT_OUT:
            name = unicodedata.name(character, "a character of private use").lower()
            return (
                f"the text holds U+{ord(character):04X} ({name}), which Ollama leaves out of a "
                "Modelfile",
                "write a plain space in its place, or leave it out",
            )
    return None


ModelfileText = Annotated[str, Field(min_length=1), AfterValidator(_demand_quotable)]


class OllamaParameters(StrictModel):
    """Ollama's own names and defaults; what is unset is not written."""

    temperature: Annotated[
        float | None,
        Field(
            ge=0, le=1000, description="How freely words are chosen; 0 always takes the likeliest."
        ),
    ] = None
    top_k: Annotated[
        Int32 | None, Field(ge=0, description="Choose among so many of the likeliest tokens.")
    ] = None
    top_p: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Choose among the likeliest tokens that make up this probability.",
        ),
    ] = None
    min_p: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Leave out tokens below this share of the likeliest one's probability.",
        ),
    ] = None
    typical_p: Annotated[
        float | None,
        Field(ge=0, le=1, description="Choose among tokens of typical likelihood; 1 turns it off."),
    ] = None
    repeat_last_n: Annotated[
        Int32 | None,
        Field(description="Tokens to look back at for repetitions; 0 none, -1 all of the context."),
    ] = None
    repeat_penalty: Annotated[
        float | None,
        Field(
            ge=-1000,
            le=1000,
            description="How much repetitions count against a token; 1 not at all.",
        ),
    ] = None
    presence_penalty: Annotated[
        float | None,
        Field(ge=-1000, le=1000, description="Counted against tokens that are there already."),
    ] = None
    frequency_penalty: Annotated[
        float | None,
        Field(
            ge=-1000,
            le=1000,
            description="Counted against tokens for each time that they are there.",
        ),
    ] = None
    seed: Annotated[Int32 | None, Field(description="Makes answers repeat themselves.")] = None
    stop: Annotated[
        tuple[ModelfileText, ...], Field(description="Stop words beside the template's own.")
    ] = ()
    num_predict: Annotated[
        Int32 | None, Field(description="Tokens of an answer at most; -1 no limit.")
    ] = None
    num_keep: Annotated[
        Int32 | None, Field(description="Tokens of the prompt to keep when the context is full.")
    ] = None
    num_ctx: Annotated[Count | None, Field(description="Tokens of context.")] = None
    num_batch: Annotated[
        Count | None, Field(description="Tokens of the prompt that are read together.")
    ] = None
    num_gpu: Annotated[
        Int32 | None, Field(description="Layers on the GPU; unset, as many as fit.")
    ] = None
    main_gpu: Annotated[Int32 | None, Field(description="Which GPU holds what is not split.")] = (
        None
    )
    num_thread: Annotated[
        Count | None, Field(description="Processor threads; unset, as Ollama finds best.")
    ] = None
    use_mmap: Annotated[
        bool | None, Field(description="Map the weights from the disk instead of reading them.")
    ] = None
