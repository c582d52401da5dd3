"""Models in a registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import type_tokens
from components.step import Deployment, step_command, step_result
from plan.codec import as_json
from plan.pipeline import ModelPlan
from plan.publication import PublicationResult, PublicationStep


@dataclass(frozen=True, kw_only=True)
class PublicationArgs:
    """What a publication needs beside its plan."""

    plan: PublicationStep
    deployment: Deployment
    after: Sequence[pulumi.Resource]
    """The model in Ollama."""


class Publication(pulumi.ComponentResource):
    """A model that others can pull, with its card.

    Pushed after it has its name in Ollama. Removing it from the stack takes nothing out of the
    registry.
    """

    published: pulumi.Output[Mapping[str, str]]
    """`reference` is what `ollama pull` takes, `digest` its manifest's, `sha256:...`."""

    def __init__(
        self, name: str, args: PublicationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.PUBLICATION, name, None, opts)
        step = step_command(
            f"{name}-command",
            "publication",
            args.plan,
            args.deployment,
            parent=self,
            # A model that is made anew is published anew.
            token=args.deployment.tokens.get(args.plan.model_step, ""),
            after=args.after,
            secret_environment=args.plan.secret_environment,
        )
        self.published = step_result(step, PublicationResult).apply(as_json)
        self.register_outputs({"published": self.published})


def published_models(
    prefix: str,
    plans: Sequence[ModelPlan],
    served: Mapping[str, pulumi.Resource],
    *,
    deployment: Deployment,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[Mapping[str, Mapping[str, str]]]:
    """Publish those models that are to be, each after it is served; what came of it, by model."""
    publications = {
        model.name: Publication(
            f"{prefix}-{model.name}-publication",
            PublicationArgs(
                plan=model.publication, deployment=deployment, after=[served[model.name]]
            ),
            opts=opts,
        )
        for model in plans
        if model.publication is not None
    }
    return pulumi.Output.all(**{name: each.published for name, each in publications.items()})
