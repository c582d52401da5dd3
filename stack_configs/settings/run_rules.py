"""Settings of one training run that do not go together, whatever the rest of the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack_configs.settings.ollama_parameters import demand_system_text
from stack_configs.settings.rule import SECRET_KEY, rule_error
from stack_configs.settings.run_spelling import OWNED_ARGUMENTS

if TYPE_CHECKING:
    from stack_configs.settings.training_runs import TrainingRunSettings

VOCABULARY_ARGUMENTS = (
    "resize_vocab",
    "add_tokens",
    "add_special_tokens",
    "new_special_tokens_config",
)
"""Arguments that give the model rows for new tokens."""


def require_settings_that_fit(run: TrainingRunSettings) -> None:
    """Raises the error of the first rule that the run breaks."""
    taken = OWNED_ARGUMENTS | type(run).model_fields.keys()
    if owned := sorted(taken & run.arguments.keys()):
        raise rule_error(
            f"arguments holds {', '.join(owned)}, which the stack sets from its own settings",
            "use the setting of that name, or leave it out",
        )
    if secrets := sorted(key for key in run.arguments if SECRET_KEY.search(key)):
        raise rule_error(
            f"arguments holds {', '.join(secrets)}: a secret never belongs in this file",
            "run `pulumi config set --secret hub_token` instead",
        )
    _require_what_other_steps_take(run)
    if run.use_unsloth and run.deepspeed == "zero3":
        raise rule_error(
            "use_unsloth does not go together with deepspeed zero3",
            "remove one of the two",
        )
    _require_one_way_to_share(run)
    if run.quantization_bit is not None and not run.trains_adapter:
        raise rule_error(
            f"quantization_bit {run.quantization_bit} needs an adapter (QLoRA), and "
            f"finetuning_type is {run.finetuning_type}",
            "set finetuning_type to lora or remove quantization_bit",
        )
    if (run.stage == "ppo") != (run.reward_model is not None):
        raise rule_error(
            "stage ppo needs a reward_model, and no other stage takes one",
            "name the run with stage rm in reward_model, for stage ppo only",
        )


def _require_one_way_to_share(run: TrainingRunSettings) -> None:
    """Of DeepSpeed, FSDP, and what they leave to the host's memory."""
    if run.fsdp and run.deepspeed:
        raise rule_error(
            f"fsdp {run.fsdp} and deepspeed {run.deepspeed} both share the model out",
            "keep one of the two",
        )
    if run.fsdp and run.use_unsloth:
        raise rule_error(
            "use_unsloth trains on one GPU, and fsdp shares a model among several",
            "remove one of the two",
        )
    if run.quantization_bit == 8 and (run.fsdp or run.deepspeed == "zero3"):  # noqa: PLR2004
        raise rule_error(
            "quantization_bit 8 does not go together with fsdp or deepspeed zero3: LLaMA-Factory "
            "shares out models of 4 bits alone",
            "set quantization_bit to 4, or deepspeed to zero2",
        )
    if run.offload and not (run.fsdp or run.deepspeed):
        raise rule_error(
            f"offload {run.offload} is for DeepSpeed or FSDP, and the run has neither",
            "set deepspeed or fsdp, or remove offload",
        )
    if run.offload == "all" and run.deepspeed == "zero2":
        raise rule_error(
            "offload all needs weights that are shared out, and deepspeed zero2 shares gradients "
            "and the optimizer alone",
            "set offload to optimizer, or deepspeed to zero3",
        )
    if run.offload == "optimizer" and run.fsdp:
        raise rule_error(
            "FSDP leaves all to the host's memory, or nothing",
            "set offload to all, or use deepspeed",
        )


def _require_what_other_steps_take(run: TrainingRunSettings) -> None:
    """What the merge, the API and Ollama are told as well must be what they can take."""
    if (system := run.arguments.get("default_system")) is not None:
        demand_system_text("arguments.default_system", system)
    if run.arguments.get("train_from_scratch") and run.finetuning_type != "full":
        raise rule_error(
            f"train_from_scratch with finetuning_type {run.finetuning_type}: the random "
            "weights that it starts from are not kept, and nothing fits what it trains",
            "set finetuning_type to full, or remove train_from_scratch",
        )
    new = [key for key in VOCABULARY_ARGUMENTS if run.arguments.get(key)]
    if run.quantization_bit is not None and new:
        raise rule_error(
            f"{new[0]} gives the model new rows, which quantization_bit "
            f"{run.quantization_bit} does not allow",
            "add the tokens in an earlier run without quantization_bit, or remove one of them",
        )
