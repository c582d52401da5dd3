"""A real stack for the tests: the real CLI and plugins, a backend and settings of its own."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stack_configs.settings.settings_yaml import SettingsYaml
from tests.integration.session import kill_session

PROJECT = Path(__file__).parents[2]
LABEL = "finetune-stack.stack"
UP_SECONDS = 1500


def demo_settings() -> dict[str, Any]:
    """The demo's settings."""
    return environment("demo")


def environment(name: str) -> dict[str, Any]:
    """An environment's settings on free ports, with data files found from anywhere."""
    path = PROJECT / "stack_configs" / f"{name}.yaml"
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
    for dataset in document["datasets"]:
        dataset["file"] = str(path.parent / dataset["file"])
    document["ollama_server"] = {"port": free_port()}
    document["board"] = document.get("board", {}) | {"port": free_port()}
    return document


def make_report(
    stack: "Stack", page: Path, *words: str | Path, state: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Write the page of a stack, as `make report` does; of another state where one is given."""
    return subprocess.run(
        [PROJECT / ".venv/bin/python", "-m", "report", page.parent, *words],
        cwd=PROJECT,
        env=stack.environment,
        input=stack.exported() if state is None else state,
        capture_output=True,
        text=True,
        check=False,
    )


PORTS = range(20000, 32000)
"""Below those that the kernel gives to outgoing connections: nobody takes one in the meantime."""


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@dataclass
class Update:
    """What one pulumi command did."""

    returncode: int
    output: str
    changes: Mapping[str, int]
    """Resources by operation: same, create, update, replace, delete."""
    seconds: float


@dataclass
class Stack:
    """One stack; its settings are changed in place and written before every command."""

    home: Path
    settings: dict[str, Any] = field(default_factory=demo_settings)
    name: str = field(default_factory=lambda: f"test-{secrets.token_hex(3)}")

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.home}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.config = self.home / "Pulumi.test.yaml"
        self.write_settings()
        config = {"config": {"finetune-stack:stack_config": str(self.home / "settings.yaml")}}
        self.config.write_text(yaml.safe_dump(config))
        # The project's folder is not written to: the stack is made from a copy of its name alone.
        elsewhere = self.home / "project"
        elsewhere.mkdir()
        shutil.copy(PROJECT / "Pulumi.yaml", elsewhere)
        self._check(["stack", "init", self.name], cwd=elsewhere)

    @property
    def physical_name(self) -> str:
        """What every name on the engine begins with."""
        return f"finetune-stack-{self.name}"

    @property
    def model(self) -> dict[str, Any]:
        model: dict[str, Any] = self.settings["models"][0]
        return model

    @property
    def run(self) -> dict[str, Any]:
        """The settings of the one training run."""
        run: dict[str, Any] = self.model["training_runs"][0]
        return run

    def write_settings(self) -> None:
        (self.home / "settings.yaml").write_text(yaml.safe_dump(self.settings))

    def set_secret(self, key: str, value: str) -> None:
        """As an operator does who keeps it out of the shell's history."""
        done = self._pulumi(["config", "set", "--secret", key, *self._which()], given=value)
        assert done.returncode == 0, done.stdout

    def up(self, *, targets: Sequence[str] = ()) -> Update:
        """An up of everything, or of the resources with these names (globs) alone."""
        only = [word for target in targets for word in ("--target", f"**::{target}")]
        return self._update("up", "--skip-preview", *only)

    def refresh(self) -> Update:
        return self._update("refresh", "--skip-preview")

    def destroy(self) -> Update:
        return self._update("destroy", "--skip-preview")

    def preview(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.write_settings()
        return self._pulumi(["preview", *words, *self._which()])

    def nothing_to_do(self, word: str) -> None:
        """One `up` or `preview` that must succeed; nothing is asked of it but to be quick."""
        skip = [] if word == "preview" else ["--yes", "--skip-preview"]
        self._check([word, *skip, *self._which()])

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self._check(["stack", "output", "--json", "--stack", self.name])
        )
        return found

    def exported(self) -> str:
        """The stack's state; what is secret stays encrypted."""
        return self._check(["stack", "export", "--stack", self.name])

    def resources(self) -> list[dict[str, Any]]:
        state = json.loads(self.exported())
        found: list[dict[str, Any]] = state["deployment"].get("resources", [])
        return found

    def import_state(self, state: Mapping[str, Any]) -> None:
        """Put the stack into a state that was exported before."""
        file = self.home / "state.json"
        file.write_text(json.dumps(state))
        self._check(["stack", "import", "--force", "--file", str(file), "--stack", self.name])

    def begin_up(self) -> subprocess.Popen[str]:
        """An up in a session of its own, whose output goes to `up_log`."""
        self.write_settings()
        with self.up_log.open("w") as output:
            return subprocess.Popen(
                ["pulumi", "up", "--yes", "--skip-preview", *self._which()],
                cwd=PROJECT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    @property
    def up_log(self) -> Path:
        """What the last up that was begun has said."""
        return self.home / "begun.log"

    def up_until(self, enough: Callable[[], bool], *, then: signal.Signals) -> str:
        """An up that is sent a signal, with all its processes, once something is so."""
        process = self.begin_up()
        try:
            deadline = time.monotonic() + UP_SECONDS
            while not enough():
                assert process.poll() is None, self.up_log.read_text()
                assert time.monotonic() < deadline, self.up_log.read_text()
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, then)
            process.wait(60)
            # Plugins have groups of their own, and outlive a CLI that is killed.
            kill_session(process.pid)
        self.take_back_lock()
        return self.up_log.read_text()

    def take_back_lock(self) -> None:
        """As an operator does whose CLI was killed: it could not do so itself."""
        self._pulumi(["cancel", "--yes", "--stack", self.name])

    def abandon(self) -> None:
        """Gives up the stack, in whatever state a test left it."""
        self._pulumi(["cancel", "--yes", "--stack", self.name])
        self._pulumi(["destroy", "--yes", "--skip-preview", *self._which()])

    def _update(self, *command: str) -> Update:
        self.write_settings()
        started = time.monotonic()
        done = self._pulumi([command[0], "--yes", *command[1:], *self._which()])
        seconds = time.monotonic() - started
        history = json.loads(
            self._check(["stack", "history", "--json", "--page-size", "1", "--stack", self.name])
            or "[]"
        )
        changes = history[0].get("resourceChanges", {}) if history else {}
        return Update(done.returncode, done.stdout, changes, seconds)

    def _which(self) -> list[str]:
        return ["--stack", self.name, "--config-file", str(self.config), "--non-interactive"]

    def _check(self, command: list[str], cwd: Path = PROJECT) -> str:
        done = self._pulumi(command, cwd)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _pulumi(
        self, command: list[str], cwd: Path = PROJECT, *, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *command],
            cwd=cwd,
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
