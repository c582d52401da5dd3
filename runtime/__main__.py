"""The one entry of all programs: python -m runtime STEP converge|delete, a request on stdin.

Pulumi's state holds these words for as long as a resource lives: they never change.
"""

import importlib
import sys
from collections.abc import Mapping

from plan.step import CONTAINER_NOUNS
from runtime.program import run_program

MODULES: Mapping[str, str] = {
    "host-claim": "runtime.host.claim",
    "leftovers": "runtime.steps.leftovers",
    "service-start": "runtime.serving.service_start",
    "dataset-registration": "runtime.steps.dataset_registration",
    **dict.fromkeys(CONTAINER_NOUNS, "runtime.steps.container_step"),
    "ollama-model": "runtime.serving.ollama_model",
    "served-models": "runtime.serving.served_models",
    "kept-artefacts": "runtime.steps.kept_artefacts",
    "publication": "runtime.publication.publication",
}
"""Loaded one by one: each program imports no more than it needs."""

ACTIONS = ("converge", "delete")


def main(arguments: list[str]) -> int:
    """The exit code of the program that the arguments name."""
    match arguments:
        case [noun, action] if noun in MODULES and action in ACTIONS:
            return run_program(importlib.import_module(MODULES[noun]), action)
    print(f"usage: python -m runtime {'|'.join(MODULES)} {'|'.join(ACTIONS)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
