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

    temperature: Annotated[float | None, Field(ge=0)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    min_p: Annotated[float | None, Field(ge=0, le=1)] = None
    typical_p: Annotated[float | None, Field(ge=0, le=1)] = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: Annotated[
        tuple[ModelfileText, ...], Field(description="Stop words beside the template's own.")
    ] = ()
    num_predict: int | None = None
    num_keep: int | None = None
    num_ctx: Annotated[int | None, Field(ge=1)] = None
    num_batch: Annotated[int | None, Field(ge=1)] = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    num_thread: Annotated[int | None, Field(ge=1)] = None
    use_mmap: bool | None = None
