"""Where things lie: the repository, the cache folder, the state folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

APPLICATION = "finetune-stack"
REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Places:
    """Every folder that the toolchain writes to."""

    repository: Path
    cache: Path
    """What was downloaded or built; may be deleted at any time."""
    state: Path
    """What must not be lost while a stack is up: Pulumi's state and its passphrase."""
    backend_url: str

    @property
    def venv(self) -> Path:
        """The virtual environment that the Pulumi program runs in."""
        return self.repository / ".venv"

    @property
    def pulumi_home(self) -> Path:
        """A plugin cache of the project's own, so that no plugin in ~/.pulumi is ever shadowed."""
        return self.repository / ".pulumi-home"

    @property
    def reports(self) -> Path:
        """Pages that show stacks, in a folder of each."""
        return self.repository / "reports"

    @property
    def passphrase(self) -> Path:
        """The generated key that secrets in the state are encrypted with."""
        return self.state / "passphrase"

    @property
    def stack_configs(self) -> Path:
        """Stack configuration with its encryption salt, which the committed files do without."""
        return self.state / "config"

    @property
    def engine_state(self) -> Path:
        """Process id and log of an engine that the toolchain started itself."""
        return self.state / "engine"

    @property
    def local_backend(self) -> Path | None:
        """The folder behind a file:// backend."""
        parts = urlsplit(self.backend_url)
        return Path(unquote(parts.path)).expanduser() if parts.scheme == "file" else None


def places_from(environ: Mapping[str, str], repository: Path = REPOSITORY) -> Places:
    """Read the folders from the environment; the defaults follow the XDG base directories."""
    home = Path(environ.get("HOME", "~")).expanduser()
    cache_home = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    state_home = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    state = Path(environ.get("FINETUNE_STATE") or state_home / APPLICATION).absolute()
    return Places(
        repository=repository,
        cache=Path(environ.get("FINETUNE_CACHE") or cache_home / APPLICATION).absolute(),
        state=state,
        backend_url=environ.get("PULUMI_BACKEND_URL") or f"file://{state}",
    )
