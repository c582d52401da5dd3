"""Stands in for the NVIDIA Container Toolkit's hook, which the engine starts for `--gpus` (H3).

Usage: nvidia-container-runtime-hook prestart, with the container's state on stdin (OCI runtime
specification). The real one puts driver files into the container's root; this one puts in an
`nvidia-smi` that names the devices that the engine asked for, and keeps a record.
"""

import json
import sys
from pathlib import Path

RECORD = Path(__file__).with_name("record.jsonl")
NVIDIA_SMI = """#!/bin/sh
echo "GPU 0: Stand-in (devices: {devices}, capabilities: {capabilities})"
"""


def main() -> None:
    bundle = Path(json.load(sys.stdin)["bundle"])
    config = json.loads((bundle / "config.json").read_text())
    environment = dict(entry.split("=", 1) for entry in config["process"]["env"])
    asked = {
        "devices": environment.get("NVIDIA_VISIBLE_DEVICES"),
        "capabilities": environment.get("NVIDIA_DRIVER_CAPABILITIES"),
    }
    program = bundle / config["root"]["path"] / "usr/bin/nvidia-smi"
    program.write_text(NVIDIA_SMI.format(**asked))
    program.chmod(0o755)
    with RECORD.open("a") as record:
        record.write(json.dumps({"arguments": sys.argv[1:], **asked}) + "\n")


if __name__ == "__main__":
    main()
