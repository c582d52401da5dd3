"""A Docker engine: the one that answers, else Debian's, installed and started."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from toolchain.apt import apt_install
from toolchain.engine_api import (
    DEFAULT_HOST,
    NoAnswerError,
    ask_engine,
    read_info,
)
from toolchain.engine_choice import EngineChoice
from toolchain.errors import ToolchainError
from toolchain.offline.engine_daemon import Daemon, start, wait_until_it_answers
from toolchain.places import Places
from toolchain.process import as_root, run
from toolchain.progress import Step

PACKAGES = ("docker.io", "containerd", "runc", "iptables", "ca-certificates")
"""docker.io recommends some of these only; without them the engine starts and no container does."""

DAEMON_SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Not on the PATH of an ordinary user on Debian."""


class EngineAction(Enum):
    """What setup does about the engine."""

    USE = auto()
    JOIN_GROUP = auto()
    START_SERVICE = auto()
    START_DAEMON = auto()
    INSTALL = auto()
    REFUSE = auto()


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What is known about the host before anything is done."""

    answers: bool
    is_chosen: bool
    """The operator has said which engine: no other takes its place."""
    socket_is_denied: bool = False
    """An engine listens, but this user may not speak to it."""
    daemon_installed: bool = False
    systemd_runs: bool = False
    apt: bool = False


def choose_action(facts: EngineFacts) -> EngineAction:
    """Decide from the facts alone."""
    if facts.answers:
        return EngineAction.USE
    if facts.is_chosen:
        return EngineAction.REFUSE
    if facts.socket_is_denied:
        return EngineAction.JOIN_GROUP
    if facts.daemon_installed:
        return EngineAction.START_SERVICE if facts.systemd_runs else EngineAction.START_DAEMON
    return EngineAction.INSTALL if facts.apt else EngineAction.REFUSE


def engine_facts(choice: EngineChoice, environ: Mapping[str, str] = os.environ) -> EngineFacts:
    """Look at the host."""
    search = f"{environ.get('PATH', os.defpath)}:{DAEMON_SEARCH_PATH}"
    return EngineFacts(
        answers=ask_engine(choice.host) is not None,
        is_chosen=choice.chosen_by is not None,
        socket_is_denied=_socket_is_denied(DEFAULT_HOST),
        daemon_installed=shutil.which("dockerd", path=search) is not None,
        systemd_runs=Path("/run/systemd/system").is_dir(),
        apt=shutil.which("apt-get") is not None,
    )


def default_daemon(places: Places) -> Daemon:
    """Return the engine as the toolchain starts it where there is no systemd."""
    return Daemon(
        socket=Path(DEFAULT_HOST.removeprefix("unix://")),
        data_root=places.cache / "engine",
        state=places.engine_state,
        group=None if os.geteuid() == 0 else str(os.getegid()),
    )


def ensure_engine(places: Places, choice: EngineChoice) -> None:
    """Make sure that the engine answers; install and start one where nobody has chosen another."""
    facts = engine_facts(choice)
    action = choose_action(facts)
    if action is EngineAction.USE:
        return
    if action is EngineAction.REFUSE:
        raise ToolchainError(refusal(choice))
    if action is EngineAction.JOIN_GROUP:
        _join_docker_group()
    if action is EngineAction.INSTALL:
        packages = [*PACKAGES, *(["apparmor"] if _host_enforces_apparmor() else [])]
        apt_install(places, packages, "No Docker engine answers")
        # The package starts its service itself where systemd runs.
        action = choose_action(engine_facts(choice))
        if action is EngineAction.JOIN_GROUP:
            _join_docker_group()
    if action is EngineAction.START_SERVICE:
        with Step("Starting the Docker engine (systemctl start docker)"):
            run(as_root(["systemctl", "start", "docker"]), title="systemctl start docker")
            wait_until_it_answers(choice.host)
    elif action is EngineAction.START_DAEMON:
        start(default_daemon(places))


def refusal(choice: EngineChoice) -> str:
    """Say why no engine can be had, and what to do."""
    try:
        read_info(choice.host)
        reason = ""
    except NoAnswerError as error:
        reason = f" ({error})"
    if choice.chosen_by is not None:
        return (
            f"{choice.chosen_by} is {choice.host}, and no Docker engine answers there{reason}. "
            f"Start that engine, correct {choice.chosen_by}, or remove it to use this host's own "
            "engine."
        )
    return (
        f"no Docker engine answers at {choice.host}{reason}, and only Debian and Ubuntu hosts get "
        "one by themselves. Install and start Docker (docs.docker.com/engine/install), or set "
        "DOCKER_HOST to an engine elsewhere, for example ssh://user@gpu-box."
    )


def _socket_is_denied(host: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(host.removeprefix("unix://"))
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def _join_docker_group() -> None:
    """Start over as a member of the group that may speak to the engine."""
    user = getpass.getuser()
    if os.environ.get("FINETUNE_JOINED_GROUP"):
        msg = (
            f"the Docker engine's socket {DEFAULT_HOST} is not open to {user}, also not through "
            "the group docker. Ask who runs this host for access, or set DOCKER_HOST."
        )
        raise ToolchainError(msg)
    with Step(f"Adding {user} to the group docker, which may speak to the engine"):
        run(as_root(["usermod", "-aG", "docker", user]), title="usermod")
    os.environ["FINETUNE_JOINED_GROUP"] = "1"
    again = shlex.join([sys.executable, "-m", "toolchain", *sys.argv[1:]])
    # A new membership counts from the next login; `sg` has it at once.
    os.execvp("sg", ["sg", "docker", "-c", again])  # noqa: S606


def _host_enforces_apparmor() -> bool:
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    return enabled.exists() and enabled.read_text().strip() == "Y"
