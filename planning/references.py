"""What the settings refer to in the stack's volumes, and how much of what they superseded stays."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from plan import paths
from plan.pipeline import ModelPlan
from plan.references import References
from plan.step import ContainerStepPlan, DatasetRegistrationStep
from stack_configs.settings.models import ModelSettings


def refer(
    settings: Sequence[ModelSettings],
    models: Sequence[ModelPlan],
    *,
    registration: DatasetRegistrationStep,
    accelerator_check: ContainerStepPlan | None,
) -> References:
    """The references of a stack."""
    named = {model.base_model.path for model in settings if model.base_model.path is not None}
    checks = () if accelerator_check is None else (accelerator_check,)
    steps = (*checks, *(step for model in models for step in model.steps))
    found = {str(step.artefact) for step in steps} | {*_of_registration(registration)} | named
    return References(
        paths=tuple(sorted(found)),
        keep={
            step.name: model.keep
            for model, planned in zip(settings, models, strict=True)
            for step in planned.steps
            # What a hub gave away is nobody's work, and may be there for several models.
            if model.keep is not None and step.volume == str(paths.OUTPUT)
        },
    )


def _of_registration(registration: DatasetRegistrationStep) -> Iterator[str]:
    for file in registration.files:
        yield file.target
    yield str(PurePosixPath(registration.marker).parent)
