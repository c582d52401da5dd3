"""The stages of a pipeline: each made once, and in the order that the GPUs need."""

from collections.abc import Mapping
from typing import TypeVar, cast

import pulumi

from planning.pipeline import PipelinePlan
from planning.stage import StagePlan
from components.stage import Stage, StageArgs
from components.training_run import TrainingRun
from components.volumes import MountSource

S = TypeVar("S", bound=Stage)


class Stages:
    """Adds stages to a pipeline, with all that its stages have in common."""

    def __init__(
        self,
        name: str,
        *,
        plan: PipelinePlan,
        tokens: Mapping[str, str],
        images: Mapping[str, pulumi.Output[str]],
        volumes: Mapping[str, MountSource],
        network: pulumi.Output[str],
        secrets: Mapping[str, pulumi.Input[str]],
        parent: pulumi.Resource,
    ) -> None:
        self._name, self._plan, self._tokens = name, plan, tokens
        self._images, self._volumes, self._network = images, volumes, network
        self._secrets, self._parent = secrets, parent
        self._made: dict[str, Stage] = {}
        self._training: list[pulumi.Resource] = []
        """The run that the next one waits for, where each takes all the GPUs."""

    def add(self, kind: type[S], plan: StagePlan, *before: pulumi.Output[str]) -> S:
        """A stage that builds on the fingerprints of those before it."""
        if plan.fingerprint in self._made:
            # Two models that differ in how they are served only: trained once.
            return cast("S", self._made[plan.fingerprint])
        trains = kind is TrainingRun and self._plan.one_training_at_a_time
        stage = kind(
            f"{self._name}-{plan.name.removeprefix(f'{self._plan.stack}-')}",
            StageArgs(
                plan=plan,
                stack=self._plan.stack,
                engine=self._plan.engine,
                token=self._tokens[plan.name],
                image=self._images[plan.container.image],
                volumes=self._volumes,
                network=self._network,
                built_on=before,
                secrets=self._secrets,
                after=self._training if trains else (),
            ),
            opts=pulumi.ResourceOptions(parent=self._parent),
        )
        self._made[plan.fingerprint] = stage
        if trains:
            self._training = [stage]
        return stage
