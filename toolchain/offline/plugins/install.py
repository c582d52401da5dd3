"""Puts the stand-ins where Pulumi looks for the official plugins, and the starter of policy packs.

Pulumi starts `$PULUMI_HOME/plugins/resource-<name>-v<version>/pulumi-resource-<name>`. Only the
starters are written: they run the plugins out of this repository with the given interpreter.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LAUNCHER: Final = Path(__file__).resolve().with_name("launch.py")
ANALYZER: Final = "policy-finetune-stack-offline"
"""As Pulumi calls it by the runtime in toolchain/offline/policy_pack/PulumiPolicy.yaml."""
_MARK: Final = "# stand-in for the official plugin"


@dataclass(frozen=True)
class StandIn:
    """One plugin, and the official version that it stands in for."""

    name: str
    version: str

    def folder(self, pulumi_home: Path) -> Path:
        """The plugin's folder in a plugin cache."""
        return pulumi_home / "plugins" / f"resource-{self.name}-v{self.version}"

    def executable(self, pulumi_home: Path) -> Path:
        """What Pulumi starts."""
        return self.folder(pulumi_home) / f"pulumi-resource-{self.name}"


STAND_INS: Final = (StandIn("docker", "5.2.0"), StandIn("command", "1.2.1"))


def install_plugins(pulumi_home: Path, python: Path) -> tuple[Path, ...]:
    """Install both stand-ins, unless the official plugin is there; returns what was written.

    Running it again changes nothing. `python` has to have the packages `pulumi` and `docker`; it
    is not resolved, because the packages of a virtual environment hang on its own path.
    """
    written = []
    for stand_in in STAND_INS:
        executable = stand_in.executable(pulumi_home)
        if executable.exists() and not is_stand_in(executable):
            continue
        script = _script(stand_in.name, python.absolute())
        if not executable.exists() or executable.read_text() != script:
            _write_executable(executable, script)
            written.append(executable)
    return tuple(written)


def install_analyzer(pulumi_home: Path, python: Path) -> Path:
    """Install what starts `policy/` for the offline kit's language host; returns the starter.

    Pulumi starts it in the folder of the pack, `toolchain/offline/policy_pack`.
    """
    folder = pulumi_home / "plugins" / f"analyzer-{ANALYZER}-v0.1.0"
    executable = folder / f"pulumi-analyzer-{ANALYZER}"
    command = shlex.join([str(python.absolute()), "-u", "../../../policy"])
    script = f'#!/bin/sh\nexec {command} "$1"\n'
    if not executable.exists() or executable.read_text() != script:
        _write_executable(executable, script)
    return executable


def is_stand_in(executable: Path) -> bool:
    """Tell a stand-in from an official plugin."""
    with executable.open("rb") as file:
        return _MARK.encode() in file.read(200)


def _script(name: str, python: Path) -> str:
    command = shlex.join([str(python), "-I", str(_LAUNCHER), name])
    return f'#!/bin/sh\n{_MARK}\nexec {command} "$@"\n'


def _write_executable(path: Path, script: str) -> None:
    """Write by renaming: a run that is under way never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(script)
    temporary = Path(file.name)
    temporary.chmod(0o755)
    temporary.replace(path)


def main() -> None:
    """Install from the command line."""
    parser = argparse.ArgumentParser(description=install_plugins.__doc__)
    parser.add_argument("pulumi_home", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    arguments = parser.parse_args()
    for path in install_plugins(arguments.pulumi_home, arguments.python):
        print(f"installed {path}")


if __name__ == "__main__":
    main()
