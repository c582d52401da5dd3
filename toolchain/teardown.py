"""What is left after the stack is gone: the engine that setup started, state, downloads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolchain.apt import installed_packages
from toolchain.engine import default_daemon
from toolchain.engine_api import ask_engine
from toolchain.engine_choice import EngineChoice
from toolchain.errors import ToolchainError
from toolchain.offline.engine_daemon import running_pid, stop
from toolchain.places import APPLICATION, Places
from toolchain.process import as_root, run
from toolchain.progress import Step, say
from toolchain.stack import local_stacks


def tidy_up(places: Places, choice: EngineChoice, *, clean: bool) -> None:
    """Leave nothing but the cache folder; with `clean`, not that either."""
    if clean:
        _remove_images(choice.host)
    stop(default_daemon(places))
    _remove_empty_state(places)
    if clean:
        _remove_downloads(places)


def _remove_empty_state(places: Places) -> None:
    backend = places.local_backend
    if backend is None or local_stacks(backend):
        # The passphrase still opens something.
        return
    ours = backend == places.state
    if ours:
        shutil.rmtree(backend / ".pulumi", ignore_errors=True)
        shutil.rmtree(places.stack_configs, ignore_errors=True)
        places.passphrase.unlink(missing_ok=True)
    try:
        places.state.rmdir()
    except OSError:
        return


def _remove_images(host: str) -> None:
    if ask_engine(host) is None:
        return
    # The docker SDK takes a moment to import: not before it is needed.
    from toolchain.engine_client import connect  # noqa: PLC0415

    with connect(host) as client, Step("Removing the images that this project has made"):
        for image in client.images.list():
            if is_ours(image.tags, image.labels):
                client.images.remove(str(image.id), force=True)


def is_ours(tags: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Tell an image that this project has made: by its name, or by a label on a nameless stage.

    An image that somebody has also given a name of their own is theirs.
    """
    if tags and all(tag.startswith(f"{APPLICATION}/") for tag in tags):
        return True
    own_label = any(key.split(".")[0] == APPLICATION for key in labels)
    return own_label and (not tags or labels.get(APPLICATION) == "base")


def _remove_downloads(places: Places) -> None:
    if running_pid(default_daemon(places)) is not None:
        msg = (
            f"the engine with its data in {places.cache} still runs containers, so the cache "
            "folder stays. Remove the containers, then run `make down CLEAN=1` again."
        )
        raise ToolchainError(msg)
    packages = installed_packages(places)
    with Step(f"Removing {places.cache} and {places.pulumi_home}"):
        _remove(places.cache)
        _remove(places.pulumi_home)
    if packages:
        say(
            "Packages that setup has installed stay: other programs may use them by now. "
            f"To remove them: apt-get purge {' '.join(packages)}"
        )


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    # An engine's data and a root file system belong to root.
    if folder.exists() and os.geteuid() != 0:
        run(as_root(["rm", "-rf", folder]), title=f"removing {folder}")
