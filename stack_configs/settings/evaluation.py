"""Evaluations: what a new model must be asked, and reach, before it takes the name (O2)."""

from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from plan.evaluation import Measure
from stack_configs.settings.questions import JsonObject, QuestionSettings
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Count, StrictModel, Url, Words


class RequirementSettings(StrictModel):
    """What the new model must reach in a measure, on average over the questions that it fits."""

    required: Annotated[
        float, Field(ge=0, le=1, description="Least score that takes the name, 0 to 1.")
    ] = 0
    margin: Annotated[
        float,
        Field(
            ge=-1,
            le=1,
            description="By how much it must be above the model that has the name. 0 takes one "
            "that is as good; below 0, one that is so much worse.",
        ),
    ] = 0


def _require_schema(schema: dict[str, Any]) -> dict[str, Any]:
    # Imported where it is needed: it takes longer than all of a preview's other checks.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise rule_error(f"it is no JSON schema: {error.message}", "correct it") from None
    return schema


class ValidJsonSettings(RequirementSettings):
    """The share of answers that are JSON, and nothing beside it."""

    json_schema: Annotated[
        Annotated[JsonObject, AfterValidator(_require_schema)] | None,
        Field(description="JSON schema (2020-12) that the answers must fit. Unset: any JSON."),
    ] = None


class JudgeSettings(RequirementSettings):
    """What a larger model says of an answer, from 0 to 10; a score of 1 is its 10."""

    url: Annotated[
        Url,
        Field(
            description="Base address of an API like OpenAI's, as the machine with Pulumi reaches "
            "it, such as https://api.openai.com/v1. Its key: `pulumi config set --secret "
            "judge_key`."
        ),
    ]
    model: Annotated[Words, Field(description="Name of the judge there.")]


class MeasuresSettings(StrictModel):
    """How answers are held against what is expected; what is unset is not measured."""

    exact: Annotated[
        RequirementSettings | None,
        Field(description="The share of answers that are the expected text, word for word."),
    ] = None
    contains: Annotated[
        RequirementSettings | None,
        Field(description="The share of answers that hold the expected text."),
    ] = None
    f1: Annotated[
        RequirementSettings | None,
        Field(description="Words that answer and expected text share, in any order."),
    ] = None
    rouge_l: Annotated[
        RequirementSettings | None,
        Field(description="The longest sequence of words that both have, in the same order."),
    ] = None
    valid_json: ValidJsonSettings | None = None
    tool_call: Annotated[
        RequirementSettings | None,
        Field(description="The share of expected tool calls made, with equal arguments."),
    ] = None
    judge: JudgeSettings | None = None

    @property
    def given(self) -> dict[Measure, RequirementSettings]:
        """Those that are measured."""
        return {
            name: value for name in get_args(Measure) if (value := getattr(self, name)) is not None
        }

    @model_validator(mode="after")
    def _something_is_measured(self) -> Self:
        if not self.given:
            raise rule_error(
                "nothing is measured", f"set one of {', '.join(type(self).model_fields)}"
            )
        return self


class EvaluationRowSettings(QuestionSettings):
    """A held-out question, written here."""

    system: Annotated[
        Words | None, Field(description="System prompt. Unset: the served model's.")
    ] = None


class EvaluationSettings(StrictModel):
    """Held-out questions, asked of the new model, of the one that has the name, and of the base."""

    dataset: Annotated[
        str | None,
        Field(
            description="Declared data set whose last answers are expected. No run may train on "
            "it, nor on a row that asks the same."
        ),
    ] = None
    rows: Annotated[
        tuple[EvaluationRowSettings, ...], Field(description="Questions beside the data set's.")
    ] = ()
    sample: Annotated[
        int,
        Field(ge=1, le=1000, description="Questions of the data set at most, spread over it."),
    ] = 200
    measures: MeasuresSettings
    max_tokens: Annotated[
        Count,
        Field(
            description="Tokens of an answer at most, thoughts included; less where "
            "parameters.num_predict is.",
        ),
    ] = 512
    base: Annotated[
        bool,
        Field(
            description="Ask the base model too: it is converted once, and put into Ollama while "
            "it is asked. It is compared, and decides nothing."
        ),
    ] = False

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if self.dataset is None and not self.rows:
            raise rule_error("nothing is asked", "set dataset or rows")
        return self
