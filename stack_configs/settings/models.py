"""Settings of one model: base model, training, merge, conversion, Ollama (T2-T8, E2-E5)."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from plan import labels
from stack_configs.settings.base_model import BaseModelSettings
from stack_configs.settings.chat_templates import TRAINING_TEMPLATES, ChatTemplate
from stack_configs.settings.evaluation import EvaluationSettings
from stack_configs.settings.gguf_conversion import GgufConversionSettings
from stack_configs.settings.model_families import MODEL_FAMILIES
from stack_configs.settings.ollama_parameters import ModelfileText, OllamaParameters
from stack_configs.settings.questions import SmokePromptSettings
from stack_configs.settings.registry import PublishedName
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Name, StrictModel
from stack_configs.settings.training_runs import BASE_MODEL, TrainingRunSettings

RESERVED_RUN_NAMES = frozenset(
    {BASE_MODEL, "merge", "chat-encoding", "gguf-conversion", "base-gguf-conversion"}
    | {"calibration-text", "importance-matrix", "quantization", "ollama-model", "publication"}
)
"""Names of a model's other steps; the containers are called after them."""


class MergeSettings(StrictModel):
    """`llamafactory-cli export`: the adapter merged into its base model (E2)."""

    export_size: Annotated[
        int, Field(ge=1, le=1_000_000, description="Largest weights file, GB.")
    ] = 5
    export_device: Annotated[
        Literal["cpu", "auto"], Field(description="auto: merge on the GPU where there is one.")
    ] = "cpu"


class OllamaModelSettings(StrictModel):
    """The model as Ollama serves it (E4, E5)."""

    name: Annotated[
        str | None,
        Field(
            pattern=r"^([a-z0-9][a-z0-9_-]{0,79}/)?[a-z0-9][a-z0-9._-]{0,79}"
            r"(:[A-Za-z0-9][A-Za-z0-9._-]{0,79})?$",
            description="Served name, such as guide, guide:v2 or team/guide: each part of 80 "
            "letters at most. Unset: the model's own name.",
            examples=["my-model:v1"],
        ),
    ] = None
    system: Annotated[
        ModelfileText | None,
        Field(description="System prompt. Unset: the training template's default."),
    ] = None
    parameters: OllamaParameters = OllamaParameters()
    chat_parity: Annotated[
        Literal["required", "reported"],
        Field(
            description="Conversations must have the tokens of the training. reported: served "
            "although they differ, and told where."
        ),
    ] = "required"
    smoke_prompts: Annotated[
        tuple[SmokePromptSettings, ...],
        Field(description="Questions that the new model must answer before it is served."),
    ] = ()
    evaluation: EvaluationSettings | None = None
    keep: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="Superseded models that stay in Ollama, to go back to: output kept_models.",
        ),
    ] = 1
    rollback_to: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{16}$",
            description="Identity of a kept model that serves in place of what is trained, for as "
            "long as this is set.",
            examples=["0123456789abcdef"],
        ),
    ] = None
    publish: Annotated[
        PublishedName | None,
        Field(
            description="Name in the registry, namespace/name or namespace/name:tag. Unset: it is "
            "published nowhere.",
            examples=["team/guide:v1"],
        ),
    ] = None

    @field_validator("name")
    @classmethod
    def _out_of_the_stacks_own_namespace(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(f"{labels.NAMESPACE}/"):
            raise rule_error(
                f"{labels.NAMESPACE}/ is for models that have not proved themselves yet",
                "take another owner, or none",
                value=repr(value),
            )
        return value


class ModelSettings(StrictModel):
    """One fine-tuned model, from base weights to an answer."""

    name: Name
    base_model: BaseModelSettings
    template: Annotated[
        ChatTemplate,
        Field(
            description="Chat template of training and serving, the base model's own: see "
            "support_matrix.md."
        ),
    ]
    training_runs: Annotated[
        tuple[TrainingRunSettings, ...],
        Field(
            min_length=1,
            description="What is trained, in this order: a later run goes on from an earlier one.",
        ),
    ]
    served_run: Annotated[
        Name | None,
        Field(
            description="Name of the training run whose result is served. Unset: the last one that "
            "trains no reward model."
        ),
    ] = None
    merge: MergeSettings = MergeSettings()
    gguf_conversion: GgufConversionSettings = GgufConversionSettings()
    ollama_model: OllamaModelSettings = OllamaModelSettings()
    keep: Annotated[
        int | None,
        Field(
            ge=0,
            le=1000,
            description="Superseded artefacts of each of the model's steps (trained, merged, "
            "converted) that stay in the output volume when an up has come to its end. Unset: all, "
            "until `make prune`.",
        ),
    ] = None

    @property
    def served_name(self) -> str:
        """The name that `ollama run` takes; with a tag, as Ollama lists it."""
        name = self.ollama_model.name or self.name
        return name if ":" in name else f"{name}:latest"

    @property
    def published_name(self) -> str | None:
        """The name in the registry, with a tag; None where it is published nowhere."""
        name = self.ollama_model.publish
        return name if name is None or ":" in name else f"{name}:latest"

    def start_of(self, run: TrainingRunSettings) -> str:
        """Name of the run that a run goes on from, or `BASE_MODEL`."""
        if run.starts_from is not None:
            return run.starts_from
        before = self.training_runs[: self.training_runs.index(run)]
        return next((each.name for each in reversed(before) if each.stage != "rm"), BASE_MODEL)

    @property
    def served_lineage(self) -> tuple[TrainingRunSettings, ...]:
        """The runs that led to what is served, and last the one whose result it is."""
        runs = {run.name: run for run in self.training_runs}
        name = self.served_run or [run.name for run in runs.values() if run.stage != "rm"][-1]
        lineage: list[TrainingRunSettings] = []
        while name != BASE_MODEL:
            lineage.insert(0, runs[name])
            name = self.start_of(runs[name])
        return tuple(lineage)

    @model_validator(mode="after")
    def _runs_fit_together(self) -> Self:
        names = [run.name for run in self.training_runs]
        for index, run in enumerate(self.training_runs):
            if run.name in names[:index]:
                raise rule_error(
                    f"two training runs are called {run.name}", "give each run a name of its own"
                )
            if run.name in RESERVED_RUN_NAMES:
                raise rule_error(
                    f"a training run is called {run.name}, as another step of the model is",
                    "give the run another name",
                )
            policies = [each.name for each in self.training_runs[:index] if each.stage != "rm"]
            if run.starts_from not in (None, BASE_MODEL, *policies):
                raise rule_error(
                    f"run {run.name} says starts_from {run.starts_from}, and no earlier run of a "
                    "stage but rm is called so",
                    f"use one of: {', '.join((BASE_MODEL, *policies))}",
                )
            judges = [judge for judge in self.training_runs[:index] if judge.stage == "rm"]
            if run.reward_model is not None and run.reward_model not in [j.name for j in judges]:
                raise rule_error(
                    f"run {run.name} names reward_model {run.reward_model}, and no earlier run "
                    "with stage rm is called so",
                    "name an earlier run with stage rm",
                )
        if all(run.stage == "rm" for run in self.training_runs):
            raise rule_error(
                "a reward model alone cannot be served", "add a run of another stage after it"
            )
        policies = [run.name for run in self.training_runs if run.stage != "rm"]
        if self.served_run not in (None, *policies):
            raise rule_error(
                f"served_run is {self.served_run}, and no run of a stage but rm is called so",
                f"use one of: {', '.join(policies)}",
            )
        return self

    @model_validator(mode="after")
    def _a_generated_model_reads_texts(self) -> Self:
        if TRAINING_TEMPLATES[self.template].reads_media and self.base_model.generate is not None:
            raise rule_error(
                f"template {self.template} needs the model's processor of images or sound, which a "
                "generated model has not",
                "use the template of a model that reads text, or a base_model from hub or path",
            )
        return self

    @model_validator(mode="after")
    def _a_family_knows_the_tokens_of_its_template(self) -> Self:
        generated = self.base_model.generate
        if generated is None or generated.family is None:
            return self
        family, template = MODEL_FAMILIES[generated.family], TRAINING_TEMPLATES[self.template]
        missing = [word for word in template.tokens if not family.has_token(word)]
        if missing:
            raise rule_error(
                f"template {self.template} ends a turn with {missing[0]!r}, which is no token of "
                f"{generated.family}: training would number it beyond the embedding",
                "use a template of that family",
            )
        return self
