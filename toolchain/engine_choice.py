"""Which engine a stack is for, as far as it can be told before the program runs.

The stack's settings (`host.engine`), else DOCKER_HOST, else this host's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.engine_api import DEFAULT_HOST
from toolchain.places import APPLICATION, Places


@dataclass(frozen=True)
class EngineChoice:
    """An engine's address, and who has chosen it."""

    host: str = DEFAULT_HOST
    chosen_by: str | None = None
    """A setting or a variable; None: nobody has, so setup may install and start one."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is not on this host, as far as its address tells."""
        return not self.host.startswith("unix://")


def engine_choice(
    places: Places, stack: str | None = None, environ: Mapping[str, str] = os.environ
) -> EngineChoice:
    """Return the engine of a stack; without a stack, the one that the environment names."""
    if stack is not None:
        path = settings_file(places, stack)
        engine = _host_settings(path).get("engine")
        if isinstance(engine, str) and engine:
            return EngineChoice(engine, f"host.engine in {path.name}")
    host = environ.get("DOCKER_HOST")
    return EngineChoice(host, "DOCKER_HOST") if host else EngineChoice()


def is_plan_only(places: Places, stack: str) -> bool:
    """Tell whether the stack's settings are to be judged without asking an engine."""
    return _host_settings(settings_file(places, stack)).get("check") == "plan_only"


def settings_file(places: Places, stack: str) -> Path:
    """Return the settings file that the stack names, in the way that the program finds it."""
    config = _mapping(_read(places.repository / f"Pulumi.{stack}.yaml").get("config"))
    name = str(config.get(f"{APPLICATION}:stack_config") or stack)
    folder = places.repository / "stack_configs"
    return places.repository / name if name.endswith(".yaml") else folder / f"{name}.yaml"


def _host_settings(path: Path) -> dict[str, Any]:
    return _mapping(_read(path).get("host"))


def _read(path: Path) -> dict[str, Any]:
    """Read a YAML file; one that is not right is the program's to complain about."""
    try:
        # Part of .venv, which doctor does without.
        import yaml  # noqa: PLC0415
    except ImportError:
        return {}
    try:
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
