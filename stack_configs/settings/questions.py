"""Questions that a model is asked before it is served, and what they expect (E5, E6)."""

from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema, model_validator

from stack_configs.settings.data_files.tools import described_tools_problem
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import StrictModel, Words

JsonObject = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class ToolCallSettings(StrictModel):
    """A call of a tool that the answer must be."""

    name: Annotated[Words, Field(description="Of the tool.")]
    arguments: Annotated[
        JsonObject, Field(description="All of them, each with the value that it must have.")
    ] = {}


class QuestionSettings(StrictModel):
    """A question, and what is expected of the answer."""

    prompt: Annotated[Words, Field(description="What is asked.")]
    expect: Annotated[Words | None, Field(description="Text that is expected of the answer.")] = (
        None
    )
    tools: Annotated[
        tuple[JsonObject, ...],
        Field(
            description="Tools that are offered with the question, as the data describes them: "
            "name, description, parameters."
        ),
    ] = ()
    expect_tool_call: Annotated[
        ToolCallSettings | None, Field(description="The call that the answer must be.")
    ] = None

    @property
    def described_tools(self) -> tuple[dict[str, Any], ...]:
        """The tools as Ollama's API takes them."""
        return tuple(as_function(tool) for tool in self.tools)

    @model_validator(mode="after")
    def _something_is_expected(self) -> Self:
        if self.expect is None and self.expect_tool_call is None:
            raise rule_error(
                "nothing is expected of the answer",
                "set expect to a text that it must hold, or expect_tool_call",
            )
        if problem := described_tools_problem(list(self.tools)):
            raise rule_error(f"tools {problem}", "give each its name")
        offered = [tool["function"]["name"] for tool in self.described_tools]
        if self.expect_tool_call is not None and self.expect_tool_call.name not in offered:
            raise rule_error(
                f"expect_tool_call names {self.expect_tool_call.name!r}, which is none of the "
                f"tools that are offered ({', '.join(offered) or 'there are none'})",
                "describe it under tools",
            )
        return self


class SmokePromptSettings(QuestionSettings):
    """A question that the new model must answer before it is served."""


def as_function(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as Ollama's API takes it, from either way to describe one."""
    return {"type": "function", "function": tool.get("function", tool)}
