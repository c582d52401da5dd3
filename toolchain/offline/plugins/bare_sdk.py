"""Makes the SDK's protocol importable without the rest of the SDK.

`import pulumi` takes about 0.8 s on a small machine, nearly all of it for things that a plugin
never uses (automation, dynamic providers, mocks). Every `pulumi` command starts the plugins, so
their process puts bare parent packages in place first, and the protocol loads in 0.2 s.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def prepare() -> None:
    """Put the bare packages in place; for a process that needs nothing else of the SDK."""
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        msg = "the Python package `pulumi` is not installed for this interpreter: " + sys.executable
        raise ModuleNotFoundError(msg)
    root = Path(found.submodule_search_locations[0])
    sys.modules["pulumi"] = _bare_package("pulumi", root)
    sys.modules["pulumi.runtime"] = _bare_package("pulumi.runtime", root / "runtime")


def _bare_package(name: str, directory: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(directory)]
    return package
