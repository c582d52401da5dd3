"""Starts one of the plugins: `python -I launch.py docker|command <engine-address>`.

Run by path and isolated, so that neither the caller's PYTHONPATH nor a variable set here reaches
the commands that the plugin runs for the operator.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from pathlib import Path


def main() -> None:
    """Hand over to the named plugin with the rest of the arguments."""
    # Pulumi ends a plugin by SIGINT and waits five seconds for it. A shell's background job, and
    # with it Pulumi and this process, is started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    repository = Path(__file__).resolve().parents[3]
    sys.path.insert(0, str(repository))
    bare_sdk = importlib.import_module("toolchain.offline.plugins.bare_sdk")
    bare_sdk.prepare()
    kind, *arguments = sys.argv[1:]
    # Nothing of what is loaded here becomes garbage.
    gc.disable()
    plugin = importlib.import_module(f"toolchain.offline.plugins.{kind}_plugin.__main__")
    gc.freeze()
    gc.enable()
    plugin.main(arguments)


if __name__ == "__main__":
    main()
