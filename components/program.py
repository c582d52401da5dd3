"""How the programs under `runtime/` are called: the same text on every machine."""

import shlex
from typing import Literal

Action = Literal["converge", "delete"]

# Relative to the project, where the engine starts its commands: an absolute path would make every
# step look changed in another clone.
PYTHON = ".venv/bin/python"


def program_command(program: str, action: Action) -> str:
    """The shell command line of a program; its specification follows on standard input."""
    return shlex.join([PYTHON, f"runtime/{program}.py", action])
