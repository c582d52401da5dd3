"""The models that Ollama serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import type_tokens
from components.step import Deployment, step_command, step_result
from plan.codec import as_json
from plan.ollama_model import OllamaModelResult, OllamaModelStep


@dataclass(frozen=True, kw_only=True)
class OllamaModelArgs:
    """What an Ollama model needs beside its plan."""

    plan: OllamaModelStep
    deployment: Deployment
    after: Sequence[pulumi.Resource]
    """The server, and the GGUF file."""


class OllamaModel(pulumi.ComponentResource):
    """A model under the name that `ollama run` takes.

    Made beside the model that is served, asked the smoke prompts, and only then given its name.
    Removing one from the stack takes nothing down: the served names are the pipeline's.
    """

    model: pulumi.Output[str]
    """Served name, `name:tag`."""
    answers: pulumi.Output[Sequence[Mapping[str, str]]]
    """Smoke prompts with the answers that the model gave: `prompt` and `answer`."""
    parity: pulumi.Output[Mapping[str, str]]
    """Conversations compared with training, and how each differs; empty where it does not."""
    evaluation: pulumi.Output[Mapping[str, Any] | None]
    """`scores` of candidate, served model and base by measure, on how many `questions`, and the
    `record` of all answers in the server's container; None where none was asked."""
    kept: pulumi.Output[Sequence[Mapping[str, str]]]
    """Superseded models, the last one first: `identity`, `model` (its name), `superseded_at`."""

    def __init__(
        self, name: str, args: OllamaModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.OLLAMA_MODEL, name, None, opts)
        step = step_command(
            f"{name}-command",
            "ollama-model",
            args.plan,
            args.deployment,
            parent=self,
            after=args.after,
            secret_environment=args.plan.secret_environment,
        )
        result = step_result(step, OllamaModelResult)
        self.model = result.apply(lambda said: said.model)
        self.answers = result.apply(lambda said: said.answers)
        self.parity = result.apply(lambda said: said.parity)
        self.evaluation = result.apply(
            lambda said: None if said.evaluation is None else as_json(said.evaluation)
        )
        self.kept = result.apply(lambda said: said.kept)
        self.register_outputs(
            {
                "model": self.model,
                "answers": self.answers,
                "parity": self.parity,
                "evaluation": self.evaluation,
                "kept": self.kept,
            }
        )


def in_one_list(models: Mapping[str, Sequence[Mapping[str, str]]]) -> list[Mapping[str, str]]:
    """The answers of each model, as the stack's output has them."""
    return [{"model": model, **answer} for model, given in models.items() for answer in given]


def count_equal(models: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """The parity of each model, as the stack's output has it."""
    return {
        model: {
            "compared": len(found),
            "equal": sum(not difference for difference in found.values()),
            "different": {name: told for name, told in found.items() if told},
        }
        for model, found in models.items()
    }
