"""What a stack exports: where its services answer, and what came of its models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True, kw_only=True)
class PipelineOutputs:
    """The outputs by their names."""

    ollama_url: pulumi.Output[str]
    board_url: pulumi.Output[str | None]
    api_url: pulumi.Output[str | None]
    tensorboard_url: pulumi.Output[str | None]
    metrics_url: pulumi.Output[str | None]
    reverse_proxy_urls: pulumi.Output[Mapping[str, str]]
    """By section, of the services behind the reverse proxy; empty where none runs."""
    models: pulumi.Output[Mapping[str, str]]
    """Served name of each model."""
    smoke_answers: pulumi.Output[list[Mapping[str, str]]]
    """What the models answered before they were served: `model`, `prompt`, `answer`; `thoughts` and
    `tool_calls` where there are."""
    parity: pulumi.Output[Mapping[str, Mapping[str, Any]]]
    """Of each model: how many conversations are `equal` to its training, of how many `compared`,
    and what is `different`."""
    evaluations: pulumi.Output[Mapping[str, Any]]
    """What the evaluation of each model that has one came to: see `OllamaModel.evaluation`."""
    kept_models: pulumi.Output[Mapping[str, Any]]
    """Superseded models by the model in whose place they can serve: see `OllamaModel.kept`."""
    published: pulumi.Output[Mapping[str, Mapping[str, str]]]
    """Of each model that is published: the `reference` to pull it by, and the `digest`."""
    training_results: pulumi.Output[Mapping[str, Any]]
    """Figures of each training run, by model and run."""
    forecast: pulumi.Output[Mapping[str, Mapping[str, int]]]
    """What each run was foretold to take: `steps`; `tokens` and `seconds` where they are known."""
    accelerators: pulumi.Output[list[Mapping[str, Any]]]
    """The devices that containers see: `name` and `memory_gb`; empty on a CPU host."""
    volumes: pulumi.Output[Mapping[str, str]]

    @property
    def by_name(self) -> Mapping[str, pulumi.Output[Any]]:
        """All of them, as the stack exports them."""
        return vars(self)
