"""The data sets of a stack, in its data volume and registered with LLaMA-Factory."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import type_tokens
from components.step import Deployment, step_command
from plan.step import DatasetRegistrationStep


@dataclass(frozen=True, kw_only=True)
class DatasetRegistrationArgs:
    """What the registration needs beside its plan."""

    plan: DatasetRegistrationStep
    deployment: Deployment
    after: Sequence[pulumi.Resource]
    """The volume, and the image that it is reached through."""


class DatasetRegistration(pulumi.ComponentResource):
    """Data files and `dataset_info.json` in the data volume.

    Uploads through the engine, so that a remote host needs no copy of the files.
    """

    def __init__(
        self, name: str, args: DatasetRegistrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.DATASET_REGISTRATION, name, None, opts)
        step_command(
            f"{name}-command",
            "dataset-registration",
            args.plan,
            args.deployment,
            parent=self,
            after=args.after,
        )
        self.register_outputs({})
