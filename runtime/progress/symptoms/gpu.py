"""The GPU, its driver and its libraries."""

from runtime.progress.symptoms.symptom import symptom

OTHER_BASE = (
    "name a base image in images.llamafactory.base_image whose PyTorch is built for {}, or a ready "
    "image in images.llamafactory.image"
)

SYMPTOMS = (
    symptom(
        r"driver on your system is too old|driver version is insufficient for CUDA runtime"
        r"|unsatisfied condition: cuda\s*>=|PTX was compiled with an unsupported toolchain",
        "the host's GPU driver is older than the CUDA libraries in the image",
        "Update the driver (nvidia-smi shows its version), or "
        + OTHER_BASE.format("the CUDA version that it supports"),
        ollama_server="Update the driver (nvidia-smi shows its version), or choose an earlier "
        "images.ollama.version",
    ),
    symptom(
        r"no kernel image is available for execution|is not compatible with the current PyTorch"
        r"|HIP error: invalid device function",
        "PyTorch in the image has no code for this GPU: the GPU is too new or too old for it",
        OTHER_BASE.format("this GPU").capitalize(),
        ollama_server="Choose an images.ollama.version that supports this GPU",
    ),
    symptom(
        r"CUDAMismatchException|Installed CUDA version \S+ does not match the version torch"
        r"|detected CUDA version[^\n]*mismatches the version that was used to compile",
        "the CUDA toolkit in the image is not the version that PyTorch was compiled with, so that "
        "DeepSpeed cannot build its kernels",
        OTHER_BASE.format("the CUDA toolkit beside it")
        + ", or leave training_runs[].deepspeed unset",
    ),
    symptom(
        r"(?:cuda|hip|npu)[^\n]{0,40} out of memory|torch\.(?:cuda\.)?OutOfMemoryError"
        r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|CUDNN_STATUS_NOT_INITIALIZED"
        r"|CUBLAS_STATUS_NOT_INITIALIZED|cudaMalloc failed: out of memory",
        "the GPU ran out of memory",
        "Free the GPU: nvidia-smi on the host shows what uses it",
        training_run="Lower training_runs[].per_device_train_batch_size (and raise "
        ".gradient_accumulation_steps by as much), set .precision: bf16, "
        ".gradient_checkpointing: true, a smaller .cutoff_len, .quantization_bit: 4 (QLoRA), or "
        ".deepspeed: zero3 on several GPUs",
        merge="Merge on the processor: models[].merge.export_device: cpu",
        api="A smaller model in api.model fits, or leave it to Ollama, which quantizes: "
        "api.enabled: false. nvidia-smi on the host shows what else uses the GPU",
        board="Unload the model in the Board's Chat tab, or train there with smaller batches. "
        "nvidia-smi on the host shows what else uses the GPU; board.enabled: false stops the Board",
        ollama_model="Choose a smaller models[].gguf_conversion.quantization, or lower "
        "models[].ollama_model.parameters.num_ctx or .num_gpu",
        ollama_server="Choose a smaller models[].gguf_conversion.quantization, or lower "
        "models[].ollama_model.parameters.num_ctx or .num_gpu",
    ),
    symptom(
        r"You need Ampere\+ GPU|bfloat16 is only supported on GPUs|BFloat16 is not supported on"
        r"|This device does not support `?pure_bf16|current device does not support bfloat16",
        "this GPU cannot compute in bf16",
        "Set training_runs[].precision: fp16",
    ),
    symptom(
        r"doesn't support bf16/gpu|No CUDA GPUs are available|Found no NVIDIA driver"
        r"|CUDA driver initialization failed|no CUDA-capable device is detected"
        r"|Torch not compiled with CUDA enabled",
        "no GPU is seen in the container",
        "Look whether the host's driver works (nvidia-smi) and whether its engine hands GPUs on "
        "(the NVIDIA container toolkit); on a host without GPUs, set host.hardware: cpu",
        is_general=True,
    ),
    symptom(
        r"uncorrectable ECC error|GPU is lost|GPU has fallen off the bus"
        r"|unspecified launch failure|CUDA error: unknown error",
        "the GPU itself failed",
        "Look for Xid in the host's `dmesg`, reset the GPU or restart the host, then run "
        "`pulumi up` again. A device that goes on failing can be left out by host.gpu.count, which "
        "counts from the first",
    ),
    symptom(
        r"device-side assert triggered|srcIndex < srcSelectDimSize"
        r"|IndexError: index out of range in self",
        "a token's number lies beyond the model's embedding: its tokenizer has more tokens than it",
        "Set models[].template to the base model's own, and for tokens that you have added, "
        "training_runs[].arguments: {resize_vocab: true}",
    ),
)
