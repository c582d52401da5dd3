"""Methods, optimizers and precisions that LLaMA-Factory refuses together."""

from stack_configs.settings.clash import Clash, under_zero3

OPTIMIZERS = ("use_galore", "use_apollo", "use_badam")


def _needs(argument: str, stage: str) -> Clash:
    return Clash(
        argument=argument,
        when=lambda told: bool(told[argument]) and told["stage"] != stage,
        rule=f"it goes with stage {stage} alone",
        way_out=f"Remove it, or set stage to {stage}",
    )


def _for_lora_alone(argument: str) -> Clash:
    return Clash(
        argument=argument,
        when=lambda told: told[argument] not in (None, False) and told["finetuning_type"] != "lora",
        rule="it goes with finetuning_type lora alone",
        way_out="Remove it, or set finetuning_type to lora",
    )


def _trains_all_weights(argument: str) -> Clash:
    return Clash(
        argument=argument,
        when=lambda told: told[argument] and told["finetuning_type"] == "lora",
        rule="it does not go with finetuning_type lora",
        way_out="Set finetuning_type to full, or remove it",
    )


METHOD_CLASHES: tuple[Clash, ...] = (
    *(
        _needs(argument, "sft")
        for argument in ("predict_with_generate", "neat_packing", "train_on_prompt", "mask_history")
    ),
    *(
        _for_lora_alone(argument)
        for argument in ("loraplus_lr_ratio", "use_rslora", "use_dora", "pissa_init")
    ),
    *(_trains_all_weights(argument) for argument in OPTIMIZERS),
    Clash(
        argument="use_badam",
        when=lambda told: sum(bool(told[each]) for each in OPTIMIZERS) > 1,
        rule="of use_galore, use_apollo and use_badam a run takes one",
        way_out="Keep one of them",
    ),
    Clash(
        argument="deepspeed",
        when=lambda told: told["deepspeed"] and (told["use_galore"] or told["use_apollo"]),
        rule="it does not go with use_galore or use_apollo",
        way_out="Remove one of the two",
    ),
    Clash(
        argument="galore_layerwise",
        when=lambda told: told["use_galore"] and told["galore_layerwise"],
        rule="several devices cannot train layer by layer with GaLore",
        way_out="Set it to false, or host.gpu.count to 1",
        several_processes=True,
    ),
    Clash(
        argument="apollo_layerwise",
        when=lambda told: told["use_apollo"] and told["apollo_layerwise"],
        rule="several devices cannot train layer by layer with APOLLO",
        way_out="Set it to false, or host.gpu.count to 1",
        several_processes=True,
    ),
    Clash(
        argument="badam_mode",
        when=lambda told: told["use_badam"] and told["badam_mode"] == "ratio",
        rule="several devices cannot train with BAdam by ratio",
        way_out="Set it to layer, or host.gpu.count to 1",
        several_processes=True,
    ),
    Clash(
        argument="use_badam",
        when=lambda told: (
            told["use_badam"] and told["badam_mode"] == "layer" and not under_zero3(told)
        ),
        rule="several devices train with BAdam under DeepSpeed ZeRO 3 alone",
        way_out="Set deepspeed to zero3, or host.gpu.count to 1",
        several_processes=True,
    ),
    Clash(
        argument="use_llama_pro",
        when=lambda told: told["use_llama_pro"] and told["finetuning_type"] == "full",
        rule="it does not go with finetuning_type full",
        way_out="Set finetuning_type to freeze or lora, or remove it",
    ),
    Clash(
        argument="pissa_init",
        when=lambda told: (
            told["pissa_init"]
            and (
                told["stage"] in ("ppo", "kto")
                or (told["stage"] == "dpo" and told["pref_loss"] not in ("orpo", "simpo"))
            )
        ),
        rule="stages with a reference model cannot begin with PiSSA",
        way_out="Remove it",
    ),
    Clash(
        argument="pissa_init",
        when=lambda told: told["pissa_init"] and bool(told["additional_target"]),
        rule="its adapter, converted for whole weights, leaves out what additional_target names",
        way_out="Remove one of the two",
    ),
    Clash(
        argument="pissa_init",
        when=lambda told: told["pissa_init"] and told["quantization_bit"] is not None,
        rule="a quantized model cannot begin with PiSSA",
        way_out="Remove it, or quantization_bit",
    ),
    Clash(
        argument="pissa_init",
        when=lambda told: told["pissa_init"] and under_zero3(told),
        rule="under DeepSpeed ZeRO 3 a run cannot begin with PiSSA",
        way_out="Remove it, or set deepspeed to zero2",
    ),
    Clash(
        argument="pure_bf16",
        when=lambda told: told["pure_bf16"] and under_zero3(told),
        rule="it does not go with deepspeed zero3",
        way_out="Remove it: precision bf16 is enough",
    ),
    Clash(
        argument="use_unsloth",
        when=lambda told: told["use_unsloth"] and told["finetuning_type"] == "oft",
        rule="it does not go with finetuning_type oft",
        way_out="Remove it, or set finetuning_type to lora",
    ),
    Clash(
        argument="fp8",
        when=lambda told: told["fp8"] and told["quantization_bit"] is not None,
        rule="a quantized model is not trained in fp8",
        way_out="Remove it, or quantization_bit",
    ),
    Clash(
        argument="quantization_device_map",
        when=lambda told: told["quantization_device_map"] == "auto",
        rule="a quantized model that is trained takes no device map",
        way_out="Remove it",
    ),
    Clash(
        argument="infer_backend",
        when=lambda told: told["infer_backend"] != "huggingface",
        rule="vLLM and SGLang do not train",
        way_out="Remove it",
    ),
    Clash(
        argument="report_to",
        when=lambda told: (
            told["stage"] == "ppo" and not set(told["report_to"]) <= {"tensorboard", "wandb"}
        ),
        rule="stage ppo reports to tensorboard and wandb alone",
        way_out="Leave the others out",
    ),
    Clash(
        argument="shift_attn",
        when=lambda told: told["shift_attn"] and told["stage"] == "ppo",
        rule="it does not go with stage ppo",
        way_out="Remove it",
    ),
    Clash(
        argument="dpo_label_smoothing",
        when=lambda told: (
            told["stage"] == "dpo"
            and told["pref_loss"] != "sigmoid"
            and told["dpo_label_smoothing"] > 0
        ),
        rule="it goes with pref_loss sigmoid alone",
        way_out="Remove it, or set pref_loss to sigmoid",
    ),
)
