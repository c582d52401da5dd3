"""Several processes, or several hosts, that train together."""

from runtime.progress.symptoms.symptom import symptom

SYMPTOMS = (
    symptom(
        r"server socket has failed to (?:listen|bind)[^\n]*",
        "the port on which the training processes meet is taken",
        "Choose another host.cluster.master_port, the same on every host; without a cluster, run "
        "`pulumi up` again, and a free one is chosen",
    ),
    symptom(
        r"RendezvousTimeoutError|RendezvousConnectionError|client socket has (?:timed out|failed)"
        r"|Timed out after \d+ seconds waiting for (?:clients|workers)"
        r"|connection to the C10d store has failed",
        "the training processes did not find each other",
        "Look whether every host of the cluster runs its stack, and whether host.cluster"
        ".master_address and .master_port can be reached from each of them",
        is_general=True,
    ),
    symptom(
        r"Watchdog caught collective operation timeout"
        r"|Timed out waiting \d+ms for (?:recv|send) operation",
        "one of the GPUs' processes waited for the others in vain",
        "Look further up in the log for the process that failed first. Where one only took long "
        "(large data sets, slow disks), set training_runs[].arguments: {ddp_timeout: 180000000}",
        is_general=True,
    ),
    symptom(
        r"ncclSystemError|ncclUnhandledCudaError|ncclInternalError|ncclRemoteError"
        r"|unhandled (?:system|cuda) error[^\n]*NCCL|NCCL error in:"
        r"|Connection closed by peer|Connection reset by peer",
        "the GPUs' processes lost the connection to each other",
        "Raise host.shm_size_gb, which NCCL uses between GPUs; between hosts, open the ports "
        "from host.cluster.master_port on. Set training_runs[].deepspeed aside, or "
        "host.gpu.count: 1, to see whether one GPU works",
        is_general=True,
    ),
)
