"""What the host has too little of: shared memory, memory, disk."""

from runtime.progress.symptoms.symptom import symptom

STATIC_TLS = r"cannot allocate memory in static TLS block"

SYMPTOMS = (
    symptom(
        STATIC_TLS,
        "a library found no room left in the static TLS block of its process",
        "Rebuild the image with `pulumi up`: a newer scikit-learn may have moved its libgomp, "
        "which the step preloads",
    ),
    symptom(
        r"bus error|insufficient shared memory|unable to open shared memory"
        r"|unable to write to file </torch_|/dev/shm[^\n]*no space left|Signal 7 \(SIGBUS\)"
        r"|no space left on device[^\n]*/dev/shm|Error while creating shared memory segment",
        "shared memory ran out",
        "Raise host.shm_size_gb (16 or 32 is usual), set host.ipc to host, or load the data in "
        "fewer processes: training_runs[].arguments: {dataloader_num_workers: 0}",
    ),
    symptom(
        r"no space left on device|disk quota exceeded|\[Errno 28\]",
        "the disk is full",
        "Make room at the engine's data root (docker system df shows what is in use), or put "
        "volumes.output and volumes.hf_cache on a larger disk (volumes.output.host_path), then run "
        "`pulumi up` again: the step goes on from its last checkpoint",
        ollama_model="Make room at the engine's data root (docker system df shows what is in use), "
        "or put Ollama's store on a larger disk: volumes.ollama.host_path",
        ollama_server="Make room at the engine's data root (docker system df shows what is in "
        "use), or put Ollama's store on a larger disk: volumes.ollama.host_path",
    ),
    symptom(
        r"Cannot allocate memory|DefaultCPUAllocator: can't allocate memory|^MemoryError\b"
        r"|\nMemoryError\b|std::bad_alloc",
        "the host's memory ran out",
        "Stop what else uses memory (docker stats), or take a host with more",
        training_run="Stop what else uses memory (docker stats), lower training_runs[].cutoff_len "
        "or .max_samples, or take a host with more memory",
    ),
    symptom(
        r"exitcode\s*:\s*-9\b|Signal 9 \(SIGKILL\)|DataLoader worker[^\n]*killed by signal: Killed",
        "one of its processes was killed, as the kernel does when the host's memory runs out",
        "Stop what else uses memory (docker stats), or take a host with more",
        is_general=True,
        training_run="Stop what else uses memory (docker stats); each process loads the model, so "
        "fewer GPUs (host.gpu.count) or training_runs[].deepspeed: zero3 need less of the host's "
        "memory",
    ),
)
