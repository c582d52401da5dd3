"""Settings of one training run, named as LLaMA-Factory names its arguments (T2-T8)."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS, ArgumentValue
from stack_configs.settings.run_rules import require_settings_that_fit
from stack_configs.settings.run_spelling import Spelling, spell_run
from stack_configs.settings.strict_model import Count, Name, Seed, StrictModel
from stack_configs.settings.trackers import Tracker

Stage = Literal["pt", "sft", "rm", "ppo", "dpo", "kto"]

BASE_MODEL = "base-model"
"""What `starts_from` calls the model's own base; no run is called so."""


class TrainingRunSettings(StrictModel):
    """One `llamafactory-cli train`. A later run goes on from what an earlier run left.

    Any other argument of LLaMA-Factory may stand beside these, as in its own YAML.
    """

    known_beside: ClassVar[frozenset[str]] = frozenset(RELEASE_ARGUMENTS)
    """Keys that are no settings of their own and yet may be meant by a misspelt one."""

    name: Name = "sft"
    stage: Annotated[
        Stage,
        Field(
            description="Stage of LLaMA-Factory: pre-training, SFT, reward model, PPO, DPO, KTO."
        ),
    ] = "sft"
    finetuning_type: Annotated[
        Literal["lora", "oft", "full", "freeze"],
        Field(
            description="lora: small layers beside the weights. oft: rotations of them. freeze: a "
            "few of them. full: all."
        ),
    ] = "lora"
    datasets: Annotated[
        tuple[str, ...], Field(min_length=1, description="Names of data sets, mixed.")
    ]
    eval_datasets: Annotated[
        tuple[str, ...],
        Field(description="Names of data sets that are judged by and not trained on."),
    ] = ()
    starts_from: Annotated[
        Name | None,
        Field(
            description="Name of the earlier run that it goes on from; base-model: of none. "
            "Unset: the run before it that trains no reward model."
        ),
    ] = None
    reward_model: Annotated[
        str | None, Field(description="Name of the earlier run with stage rm; for stage ppo.")
    ] = None

    cutoff_len: Annotated[Count, Field(ge=16, description="Tokens kept per example.")] = 2048
    max_samples: Annotated[Count | None, Field(description="Rows of each data set at most.")] = None
    num_train_epochs: Annotated[
        float, Field(gt=0, le=1_000_000, description="Times that every row is seen.")
    ] = 3.0
    max_steps: Annotated[Count | None, Field(description="Overrides num_train_epochs.")] = None
    learning_rate: Annotated[float, Field(gt=0, lt=1, description="Peak learning rate.")] = 1e-4
    lr_scheduler_type: Annotated[
        Literal[
            "linear",
            "cosine",
            "cosine_with_restarts",
            "polynomial",
            "constant",
            "constant_with_warmup",
            "inverse_sqrt",
            "reduce_lr_on_plateau",
            "cosine_with_min_lr",
            "cosine_warmup_with_min_lr",
            "warmup_stable_decay",
        ],
        Field(description="How the learning rate goes on from its peak."),
    ] = "cosine"
    warmup_steps: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="Steps until the learning rate is at its peak.")
    ] = 0
    per_device_train_batch_size: Annotated[
        Count, Field(description="Rows at a time on each device.")
    ] = 1
    gradient_accumulation_steps: Annotated[
        Count, Field(description="Batches that make one step.")
    ] = 8
    precision: Annotated[
        Literal["bf16", "fp16", "fp32"], Field(description="Number format of the computation.")
    ] = "bf16"
    gradient_checkpointing: Annotated[
        bool,
        Field(
            description="Compute some values again instead of keeping them: slower, less memory."
        ),
    ] = True
    seed: Annotated[Seed, Field(description="Order of the rows, and what else is random.")] = 42
    logging_steps: Annotated[Count, Field(description="Steps between two lines of figures.")] = 10
    report_to: Annotated[
        tuple[Tracker, ...],
        Field(description="Trackers that are told how it goes; see trackers and tensorboard."),
    ] = ()
    save_steps: Annotated[Count, Field(description="A killed run resumes from here.")] = 500
    save_total_limit: Annotated[Count, Field(description="Checkpoints kept.")] = 2

    lora_rank: Annotated[Count, Field(description="Rank of the LoRA layers.")] = 8
    lora_alpha: Annotated[
        Count | None, Field(description="Scale of the LoRA layers. Unset: twice the rank.")
    ] = None
    lora_dropout: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of the LoRA input that is dropped while training."),
    ] = 0.0
    lora_target: Annotated[
        str,
        Field(
            min_length=1,
            description="Modules that get LoRA layers, separated by commas; all: every linear one.",
        ),
    ] = "all"
    additional_target: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(description="Modules trained and saved whole beside the LoRA layers."),
    ] = ()
    quantization_bit: Annotated[
        Literal[4, 8] | None,
        # As every other number: a list of choices alone would not take one in quotes.
        BeforeValidator(lambda value: int(value) if value in ("4", "8") else value),
        Field(description="QLoRA: bits of the frozen base model."),
    ] = None

    deepspeed: Annotated[
        Literal["zero2", "zero3"] | None, Field(description="DeepSpeed ZeRO stage (T6).")
    ] = None
    fsdp: Annotated[
        Literal["full_shard", "shard_grad_op"] | None,
        Field(
            description="PyTorch's FSDP in place of DeepSpeed: each device has a share of the "
            "weights and the optimizer (full_shard), or all weights while it computes "
            "(shard_grad_op)."
        ),
    ] = None
    offload: Annotated[
        Literal["optimizer", "all"] | None,
        Field(
            description="What the host's memory holds for DeepSpeed: the optimizer, or the "
            "weights as well (zero3). FSDP: all. Slower, less GPU memory."
        ),
    ] = None
    use_unsloth: Annotated[bool, Field(description="Train with Unsloth's kernels, on one GPU.")] = (
        False
    )
    flash_attn: Annotated[
        Literal["auto", "disabled", "sdpa", "fa2", "fa3"],
        Field(
            description="Implementation of attention; fa2 and fa3 need the package in the image."
        ),
    ] = "auto"
    threads: Annotated[
        Count | None, Field(description="OMP_NUM_THREADS. Unset: the libraries' own choice.")
    ] = None
    deadline_hours: Annotated[
        float,
        Field(
            ge=0.001,
            le=100_000,
            description="A run that takes longer is stopped; the next up resumes it.",
        ),
    ] = 72
    arguments: Annotated[
        dict[str, ArgumentValue],
        Field(description="Any other argument of llamafactory-cli train, as it is."),
    ] = {}
    _spelling: Spelling = PrivateAttr(default=Spelling())

    @property
    def spelling(self) -> Spelling:
        """How the run was written."""
        return self._spelling

    @property
    def trains_adapter(self) -> bool:
        """Whether the weights stay as they are, and an adapter lies beside them."""
        return self.finetuning_type in ("lora", "oft")

    @property
    def evaluates(self) -> bool:
        """Whether rows are held out, or data sets named, to judge by."""
        return bool(self.eval_datasets or self.arguments.get("val_size"))

    @property
    def evaluates_while_training(self) -> bool:
        """False where it judges at its end alone, or never."""
        told = self.arguments
        return told.get("eval_strategy", "no") != "no" or bool(told.get("eval_on_start"))

    @model_validator(mode="wrap")
    @classmethod
    def _written_as_llamafactory_has_it(
        cls, given: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        if not isinstance(given, dict):
            return handler(given)
        spelling = spell_run(given, own=cls.model_fields.keys())
        run = handler(dict(spelling.run))
        run._spelling = spelling
        return run

    @model_validator(mode="after")
    def _settings_that_fit_together(self) -> Self:
        require_settings_that_fit(self)
        return self
