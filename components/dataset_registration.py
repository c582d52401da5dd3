"""The data sets of a stack, in its data volume and registered with LLaMA-Factory."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.naming import type_token
from planning import paths
from planning.container import Mount
from planning.dataset_registration import DatasetRegistrationPlan
from components.stage import mount_spec, step_command, step_result
from components.volumes import MountSource


@dataclass(frozen=True, kw_only=True)
class DatasetRegistrationArgs:
    """What the registration needs beside its plan."""

    plan: DatasetRegistrationPlan
    stack: str
    engine: str | None
    token: str
    image: pulumi.Input[str]
    """An image to reach the volume through; no container of it is started."""
    volumes: Mapping[str, MountSource]


class DatasetRegistration(pulumi.ComponentResource):
    """Data files and `dataset_info.json` in the data volume.

    Uploads through the engine, so that a remote host needs no copy of the files.
    """

    fingerprint: pulumi.Output[str]

    def __init__(
        self, name: str, args: DatasetRegistrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("DatasetRegistration"), name, None, opts)
        plan = args.plan
        step = step_command(
            f"{name}-command",
            "steps/register_datasets",
            {
                "engine": args.engine,
                "stack": args.stack,
                "name": f"{args.stack}-dataset-registration",
                "image": args.image,
                "mount": mount_spec(Mount(volume="data", target=str(paths.DATA)), args.volumes),
                "datasets": [
                    {
                        "name": dataset.name,
                        "file": dataset.source,
                        "digest": dataset.digest,
                        "target": dataset.target,
                    }
                    for dataset in plan.datasets
                ],
                "info": plan.info,
                "marker": plan.marker,
            },
            parent=self,
            fingerprint=plan.fingerprint,
            token=args.token,
        )
        self.fingerprint = step_result(step)["fingerprint"]
        self.register_outputs({"fingerprint": self.fingerprint})
