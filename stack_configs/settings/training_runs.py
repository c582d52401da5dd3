"""Settings of one training run, named as LLaMA-Factory names its arguments (T2-T8)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stack_configs.settings.rule import SECRET_KEY, rule_error
from stack_configs.settings.strict_model import Name, StrictModel

Stage = Literal["pt", "sft", "rm", "ppo", "dpo", "kto"]

OWNED_ARGUMENTS = frozenset(
    {
        "model_name_or_path",
        "model_revision",
        "adapter_name_or_path",
        "dataset",
        "dataset_dir",
        "output_dir",
        "template",
        "do_train",
        "overwrite_output_dir",
        "report_to",
        "resume_from_checkpoint",
        "reward_model_type",
        "bf16",
        "fp16",
        "disable_gradient_checkpointing",
        "save_on_each_node",
    }
)
"""Arguments that the stack sets itself: links between steps, and what other settings decide."""


class TrainingRunSettings(StrictModel):
    """One `llamafactory-cli train`. A later run goes on from the earlier run's adapter."""

    name: Name = "sft"
    stage: Stage = "sft"
    finetuning_type: Literal["lora", "full", "freeze"] = "lora"
    datasets: Annotated[tuple[str, ...], Field(min_length=1)]
    reward_model: Annotated[
        str | None, Field(description="Name of the earlier run with stage rm; for stage ppo.")
    ] = None

    cutoff_len: Annotated[int, Field(ge=16, description="Tokens kept per example.")] = 2048
    max_samples: Annotated[int | None, Field(ge=1)] = None
    num_train_epochs: Annotated[float, Field(gt=0)] = 3.0
    max_steps: Annotated[int | None, Field(ge=1, description="Overrides num_train_epochs.")] = None
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    lr_scheduler_type: Literal[
        "linear", "cosine", "constant", "constant_with_warmup", "polynomial"
    ] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    per_device_train_batch_size: Annotated[int, Field(ge=1)] = 1
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 8
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    gradient_checkpointing: bool = True
    seed: int = 42
    logging_steps: Annotated[int, Field(ge=1)] = 10
    save_steps: Annotated[int, Field(ge=1, description="A killed run resumes from here.")] = 500
    save_total_limit: Annotated[int, Field(ge=1, description="Checkpoints kept.")] = 2

    lora_rank: Annotated[int, Field(ge=1)] = 8
    lora_alpha: Annotated[int | None, Field(ge=1)] = None
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lora_target: str = "all"
    additional_target: Annotated[
        tuple[str, ...],
        Field(description="Modules trained and saved whole beside the LoRA layers."),
    ] = ()
    quantization_bit: Annotated[
        Literal[4, 8] | None, Field(description="QLoRA: bits of the frozen base model.")
    ] = None

    deepspeed: Annotated[
        Literal["zero2", "zero3"] | None, Field(description="DeepSpeed ZeRO stage (T6).")
    ] = None
    use_unsloth: bool = False
    flash_attn: Literal["auto", "disabled", "sdpa", "fa2"] = "auto"
    threads: Annotated[
        int | None, Field(ge=1, description="OMP_NUM_THREADS. Unset: the libraries' own choice.")
    ] = None
    deadline_hours: Annotated[float, Field(gt=0)] = 72
    arguments: Annotated[
        dict[str, str | int | float | bool | list[str]],
        Field(description="Any other argument of llamafactory-cli train, as it is."),
    ] = {}

    @model_validator(mode="after")
    def _arguments_that_fit_together(self) -> Self:
        taken = OWNED_ARGUMENTS | type(self).model_fields.keys()
        if owned := sorted(taken & self.arguments.keys()):
            raise rule_error(
                f"arguments holds {', '.join(owned)}, which the stack sets from its own settings",
                "use the setting of that name, or leave it out",
            )
        if secrets := sorted(key for key in self.arguments if SECRET_KEY.search(key)):
            raise rule_error(
                f"arguments holds {', '.join(secrets)}: a secret never belongs in this file",
                "run `pulumi config set --secret hub_token` instead",
            )
        if self.use_unsloth and self.deepspeed == "zero3":
            raise rule_error(
                "use_unsloth does not go together with deepspeed zero3",
                "remove one of the two",
            )
        if self.quantization_bit is not None and self.finetuning_type != "lora":
            raise rule_error(
                f"quantization_bit {self.quantization_bit} needs finetuning_type lora (QLoRA)",
                "set finetuning_type to lora or remove quantization_bit",
            )
        if (self.stage == "ppo") != (self.reward_model is not None):
            raise rule_error(
                "stage ppo needs a reward_model, and no other stage takes one",
                "name the run with stage rm in reward_model, for stage ppo only",
            )
        return self
