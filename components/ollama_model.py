"""The models that Ollama serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.naming import type_token
from planning.ollama_model import OllamaModelPlan
from components.stage import step_command, step_result


@dataclass(frozen=True, kw_only=True)
class OllamaModelArgs:
    """What an Ollama model needs beside its plan."""

    plan: OllamaModelPlan
    stack: str
    engine: str | None
    token: str
    server: pulumi.Input[str]
    """Name of the Ollama server's container."""
    built_on: pulumi.Input[str]
    """Fingerprint of the GGUF conversion."""


class OllamaModel(pulumi.ComponentResource):
    """A model under the name that `ollama run` takes.

    Made beside the model that is served, asked the smoke prompts, and only then given its name.
    """

    model: pulumi.Output[str]
    """Served name, `name:tag`."""
    answers: pulumi.Output[Sequence[Mapping[str, str]]]
    """Smoke prompts with the answers that the model gave: `prompt` and `answer`."""

    def __init__(
        self, name: str, args: OllamaModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("OllamaModel"), name, None, opts)
        plan = args.plan
        step = step_command(
            f"{name}-command",
            "serving/ollama_model",
            {
                "engine": args.engine,
                "stack": args.stack,
                "name": plan.name,
                "server": args.server,
                "served_name": plan.served_name,
                "modelfile": plan.modelfile,
                "quantize": plan.quantize,
                "smoke_prompts": [prompt.model_dump() for prompt in plan.smoke_prompts],
                "marker": plan.marker,
                "manifest": plan.manifest,
                "deadline_seconds": plan.deadline_seconds,
                "built_on": [args.built_on],
            },
            parent=self,
            fingerprint=plan.fingerprint,
            token=args.token,
        )
        result = step_result(step)
        self.model = result["model"]
        self.answers = result["answers"]
        self.register_outputs({"model": self.model, "answers": self.answers})
