"""An engine without systemd: started detached, found again by its process id, stopped."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from toolchain.engine_api import EngineInfo, ask_engine
from toolchain.errors import ToolchainError
from toolchain.process import TAIL_LINES, as_root, run
from toolchain.progress import Step, say

START_SECONDS = 60.0
DEFAULT_EXEC_ROOT = Path("/var/run/docker")
FORGET_NETWORKS = """
in_use=$(readlink /proc/[0-9]*/ns/net)
for place in "$1"/*; do
    [ "$(stat -f -c %T "$place" 2>/dev/null)" = nsfs ] || continue
    case $in_use in
    *"net:[$(stat -c %i "$place")]"*) ;;
    *) umount "$place" && rm -f "$place" ;;
    esac
done
"""
STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """Where a dockerd of our own keeps its things."""

    socket: Path
    data_root: Path
    state: Path
    group: str | None = None
    """Who may speak to it besides root."""
    exec_root: Path | None = None
    launcher: tuple[str, ...] = ()
    """A command that starts dockerd in its stead, for example in a network of its own."""
    extra_arguments: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Its address."""
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        """Written by dockerd."""
        return self.state / "dockerd.pid"

    @property
    def log(self) -> Path:
        """Everything that dockerd says."""
        return self.state / "dockerd.log"

    def arguments(self) -> list[str]:
        """Return dockerd's command line."""
        command = [
            *self.launcher,
            "dockerd",
            "--host",
            self.host,
            "--data-root",
            str(self.data_root),
        ]
        command += ["--pidfile", str(self.pid_file)]
        if self.exec_root is not None:
            command += ["--exec-root", str(self.exec_root)]
        if self.group is not None:
            command += ["--group", self.group]
        return [*command, *self.extra_arguments]


def start(daemon: Daemon) -> EngineInfo:
    """Start dockerd detached from this terminal and wait until it answers."""
    daemon.state.mkdir(parents=True, exist_ok=True)
    daemon.data_root.mkdir(parents=True, exist_ok=True)
    with Step(f"Starting the Docker engine (dockerd, data in {daemon.data_root})") as step:
        _forget_networks(daemon)
        pid = _spawn(daemon)
        try:
            return wait_until_it_answers(daemon.host, pid, daemon.log, step)
        except ToolchainError:
            if not _alive(pid):
                _unmount(daemon)
            raise


def wait_until_it_answers(
    host: str,
    pid: int | None = None,
    log: Path | None = None,
    step: Step | None = None,
    seconds: float = START_SECONDS,
) -> EngineInfo:
    """Ask until the engine answers, it is dead, or the time is over."""
    deadline = time.monotonic() + seconds
    ended = False
    while not ended and time.monotonic() < deadline:
        info = ask_engine(host)
        if info is not None:
            return info
        last = last_lines(log, 1) if log is not None else []
        if step is not None and last:
            step.update(last[0])
        time.sleep(0.3)
        ended = pid is not None and not _alive(pid)
    reason = "stopped right after its start" if ended else f"does not answer after {seconds:.0f} s"
    msg = f"the Docker engine at {host} {reason}"
    if log is not None:
        msg += f"; the end of its log {log}:\n"
        msg += "\n".join(f"    {line}" for line in last_lines(log, TAIL_LINES))
    raise ToolchainError(msg)


def running_pid(daemon: Daemon) -> int | None:
    """Return the process id of the dockerd that we started, if it still runs."""
    try:
        pid = int(daemon.pid_file.read_text())
        # Process ids are used again: make sure that this one is a dockerd.
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" and _alive(pid) else None


def stop(daemon: Daemon) -> bool:
    """Stop the dockerd that we started; leave it where containers still run in it."""
    pid = running_pid(daemon)
    if pid is None:
        _forget(daemon)
        return False
    info = ask_engine(daemon.host)
    if info is not None and info.containers_running:
        say(f"{info.containers_running} containers still run: the Docker engine stays up")
        return False
    with Step("Stopping the Docker engine that setup has started"):
        run(as_root(["kill", "-TERM", str(pid)]), title="stopping dockerd")
        deadline = time.monotonic() + STOP_SECONDS
        while running_pid(daemon) == pid:
            if time.monotonic() > deadline:
                msg = f"dockerd (process {pid}) does not stop; its log is {daemon.log}"
                raise ToolchainError(msg)
            time.sleep(0.2)
        _unmount(daemon)
    _forget(daemon)
    return True


def is_mount_point(folder: Path) -> bool:
    """Tell whether something is mounted there, also from the same disk (os.path.ismount cannot)."""
    # The fifth field is the mount point, with octal escapes for a few characters.
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    escaped = str(folder).replace("\\", "\\134").replace(" ", "\\040")
    return escaped in points


def last_lines(path: Path, count: int) -> list[str]:
    """Return the end of a log."""
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _spawn(daemon: Daemon) -> int:
    """Start dockerd in a session of its own: Ctrl-C in this terminal does not reach it."""
    search = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    # The shell leaves dockerd behind as an orphan, also through sudo, and says which process it is.
    script = 'log=$1; shift; cd /; setsid "$@" >"$log" 2>&1 </dev/null & echo $!'
    command = ["sh", "-c", script, "sh", daemon.log, "env", search, *daemon.arguments()]
    return int(run(as_root(command), title="starting dockerd"))


def _forget_networks(daemon: Daemon) -> None:
    """Take down the networks of containers that died with an engine that was killed.

    dockerd forgets them, yet their addresses still answer: in the place of the next container.
    """
    places = (daemon.exec_root or DEFAULT_EXEC_ROOT) / "netns"
    run(as_root(["sh", "-c", FORGET_NETWORKS, "sh", places]), title="removing dead networks")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def _unmount(daemon: Daemon) -> None:
    """Undo dockerd's mount of its data folder onto itself; with it the folder cannot be deleted."""
    if is_mount_point(daemon.data_root):
        run(as_root(["umount", daemon.data_root]), title=f"unmounting {daemon.data_root}")


def _forget(daemon: Daemon) -> None:
    shutil.rmtree(daemon.state, ignore_errors=True)
