"""Arguments of LLaMA-Factory that do not fit each other, the model or what is there."""

from runtime.progress.symptoms.symptom import symptom

SYMPTOMS = (
    symptom(
        r"keys are not used by the HfArgumentParser|arguments are not used by the HfArgumentParser"
        r"|Got unknown args",
        "this LLaMA-Factory has no argument of this name",
        "Correct it in training_runs[].arguments, or choose a release that has it: "
        "images.llamafactory.version",
    ),
    symptom(
        r"requires? you to execute[^\n]*code|contains custom code which must be executed"
        r"|argument `?trust_remote_code=True`?",
        "the base model brings code of its own, which is run for nobody who has not said so",
        "Read that code, then set training_runs[].arguments: {trust_remote_code: true}, or choose "
        "another models[].base_model.hub",
    ),
    symptom(
        r"does not recognize this architecture|Unrecognized model in"
        r"|Unrecognized configuration class",
        "the Transformers library in the image does not know this kind of model: it is newer",
        "Choose a newer images.llamafactory.version, or another base model",
    ),
    symptom(
        r"Target modules [^\n]* not found in the base model|No modules were targeted for adaptation"
        r"|Module \S+ not found in hidden modules",
        "the base model has no modules of this name to put LoRA layers into",
        "Set training_runs[].lora_target: all, or to names that the model has; the same for "
        ".additional_target",
    ),
    symptom(
        r"size mismatch for \S+: copying a param with shape",
        "the adapter and the model that it is loaded into differ in size",
        "Set models[].base_model and training_runs[].lora_rank as they were when it was trained, "
        "or give the run another training_runs[].name to begin anew",
    ),
    symptom(
        r"incompatible with PTQ-quantized models|Only 4-bit quantized model can use fsdp"
        r"|quantization is incompatible with DeepSpeed"
        r"|Cannot use device map for quantized models|\.to\(?`? is not supported for `?[48]-bit",
        "a quantized base model cannot be trained in this way on several devices",
        "Leave training_runs[].quantization_bit unset where .deepspeed is zero3, or set "
        ".deepspeed: zero2",
    ),
    symptom(
        r"element 0 of tensors does not require grad|none of output has requires_grad=True",
        "nothing in the model is being trained: every weight is frozen",
        "Look at training_runs[].lora_target and .finetuning_type; with a quantized or frozen "
        "base model, .gradient_checkpointing: false helps",
    ),
    symptom(
        r"Expected to mark a variable ready only once|has been marked as ready twice",
        "gradient checkpointing and training on several devices got in each other's way",
        "Set training_runs[].arguments: {use_reentrant_gc: false}, or "
        "training_runs[].gradient_checkpointing: false",
    ),
    symptom(
        r"Current loss scale already at minimum|probability tensor contains either `inf`, `nan`"
        r"|loss is nan\b|Loss became NaN",
        "the numbers overflowed: the training has run away",
        "Set training_runs[].precision: bf16 (fp32 where the GPU has no bf16), and lower "
        ".learning_rate",
    ),
    symptom(
        r"Can't find a valid checkpoint at|No valid checkpoint found"
        r"|PytorchStreamReader failed (?:reading|finding)",
        "the checkpoint to resume from is not there, or not whole",
        "Remove the newest checkpoint from the folder that is named below, so that the run resumes "
        "from the one before; training_runs[].save_total_limit says how many there are",
    ),
    symptom(
        r"llamafactory/hparams/\w+\.py\"(?:[^\n]*\n){1,8}?ValueError: ",
        "LLaMA-Factory refuses this combination of arguments",
        "Change what the line names: in training_runs[], or in training_runs[].arguments",
        is_general=True,
    ),
)
