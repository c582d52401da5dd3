"""Steps that run in a container of their own and leave an artefact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import type_tokens
from components.step import Deployment, step_command, step_result
from plan.step import ContainerStepPlan, StepResult


@dataclass(frozen=True, kw_only=True)
class ContainerStepArgs:
    """What a container step needs beside its plan."""

    plan: ContainerStepPlan
    deployment: Deployment
    after: Sequence[pulumi.Resource]
    """Image, volumes, and the steps that it builds on."""


class ContainerStep(pulumi.ComponentResource):
    """One command, one detached container, one artefact.

    The graph shows it under the type of its noun: TrainingRun, Merge, GgufConversion and so on.
    """

    artefact: pulumi.Output[str]
    """Folder in the output volume."""
    results: pulumi.Output[Mapping[str, Any]]
    """Figures that the step left behind, such as `train_loss`; may be empty."""

    def __init__(
        self, name: str, args: ContainerStepArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        plan = args.plan
        super().__init__(type_tokens.CONTAINER_STEPS[plan.noun], name, None, opts)
        step = step_command(
            f"{name}-command",
            plan.noun,
            plan,
            args.deployment,
            parent=self,
            after=args.after,
            secret_environment=plan.secret_environment,
        )
        result = step_result(step, StepResult)
        self.artefact = result.apply(lambda said: said.artefact)
        self.results = result.apply(lambda said: said.results)
        self.register_outputs({"artefact": self.artefact, "results": self.results})
