"""PARAMETER lines of a Modelfile: `ollama create` would refuse a wrong one after the training."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import StrictModel


def _require_quotable(text: str) -> str:
    if '"""' in text:
        raise rule_error(
            'the text holds """, which a Modelfile cannot quote', "use other quotation marks"
        )
    return text


ModelfileText = Annotated[str, Field(min_length=1), AfterValidator(_require_quotable)]


class OllamaParameters(StrictModel):
    """Ollama's own names and defaults; what is unset is not written."""

    temperature: Annotated[
        float | None,
        Field(ge=0, description="How freely words are chosen; 0 always takes the likeliest."),
    ] = None
    top_k: Annotated[
        int | None, Field(ge=0, description="Choose among so many of the likeliest tokens.")
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
        int | None,
        Field(description="Tokens to look back at for repetitions; 0 none, -1 all of the context."),
    ] = None
    repeat_penalty: Annotated[
        float | None, Field(description="How much repetitions count against a token; 1 not at all.")
    ] = None
    presence_penalty: Annotated[
        float | None, Field(description="Counted against tokens that are there already.")
    ] = None
    frequency_penalty: Annotated[
        float | None, Field(description="Counted against tokens for each time that they are there.")
    ] = None
    seed: Annotated[int | None, Field(description="Makes answers repeat themselves.")] = None
    stop: Annotated[
        tuple[ModelfileText, ...], Field(description="Stop words beside the template's own.")
    ] = ()
    num_predict: Annotated[
        int | None, Field(description="Tokens of an answer at most; -1 no limit.")
    ] = None
    num_keep: Annotated[
        int | None, Field(description="Tokens of the prompt to keep when the context is full.")
    ] = None
    num_ctx: Annotated[int | None, Field(ge=1, description="Tokens of context.")] = None
    num_batch: Annotated[
        int | None, Field(ge=1, description="Tokens of the prompt that are read together.")
    ] = None
    num_gpu: Annotated[
        int | None, Field(description="Layers on the GPU; unset, as many as fit.")
    ] = None
    main_gpu: Annotated[int | None, Field(description="Which GPU holds what is not split.")] = None
    num_thread: Annotated[
        int | None, Field(ge=1, description="Processor threads; unset, as Ollama finds best.")
    ] = None
    use_mmap: Annotated[
        bool | None, Field(description="Map the weights from the disk instead of reading them.")
    ] = None
