"""`up`, `preview` and `down` of one stack, by the CLI's own commands."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolchain import stack_config
from toolchain.environment import has_own_passphrase
from toolchain.errors import ToolchainError
from toolchain.places import APPLICATION, Places
from toolchain.policy_pack import policy_options
from toolchain.process import follow, run
from toolchain.progress import say


def up(places: Places, stack: str, environment: Mapping[str, str]) -> int:
    """Converge the stack and print what the model answers."""
    config = _select(places, stack, environment)
    say(f"pulumi up --stack {stack}")
    # One failing model stops no other.
    words = ["up", "--yes", "--continue-on-error"]
    policies = policy_options(places, stack, environment)
    # Rules on the whole stack are judged at the end: in a preview, that is before anything is made.
    words += policies or ["--skip-preview"]
    status = _pulumi(words, places, stack, config, environment)
    if status == 0:
        print(answers(outputs(places, stack, environment)), flush=True)
    return status


def preview(places: Places, stack: str, environment: dict[str, str]) -> int:
    """Show what `up` would change, and change nothing: what it writes is thrown away."""
    committed = stack_config.committed_config(places, stack)
    with tempfile.TemporaryDirectory(prefix=f"{APPLICATION}-") as name:
        folder = Path(name)
        if exists(places, stack, environment):
            secrets_keys = secrets_keys_of(places, stack)
        else:
            say(f"The stack {stack} is not there yet: looking at it in a backend for the moment")
            environment = environment | _momentary_backend(folder)
            secrets_keys = stack_config.init_stack(places, stack, environment)
        config = folder / committed.name
        stack_config.write(config, stack_config.merged(stack_config.read(committed), secrets_keys))
        say(f"pulumi preview --stack {stack}")
        words = ["preview", *policy_options(places, stack, environment)]
        return _pulumi(words, places, stack, config, environment)


def down(places: Places, stack: str, environment: Mapping[str, str]) -> int:
    """Destroy what the stack has made, then forget the stack."""
    if not exists(places, stack, environment):
        say(f"The stack {stack} is not there: nothing to destroy")
        return 0
    config = stack_config.refresh_copy(places, stack, secrets_keys_of(places, stack))
    say(f"pulumi destroy --stack {stack}")
    status = _pulumi(["destroy", "--yes", "--skip-preview"], places, stack, config, environment)
    if status:
        return status
    run(
        ["pulumi", "stack", "rm", "--yes", "--stack", stack, "--preserve-config"]
        + (["--remove-backups"] if places.local_backend is not None else []),
        title=f"removing the stack {stack}",
        env=environment,
        cwd=places.repository,
    )
    stack_config.config_copy(places, stack).unlink(missing_ok=True)
    return 0


def exists(places: Places, stack: str, environment: Mapping[str, str]) -> bool:
    """Tell whether the backend knows the stack."""
    return stack in stacks_of(places, environment)


def stacks_of(places: Places, environment: Mapping[str, str]) -> list[str]:
    """Return the project's stacks in the backend."""
    if places.local_backend is not None:
        return local_stacks(places.local_backend)
    listed = run(
        ["pulumi", "stack", "ls", "--json", "--non-interactive"],
        title="listing the stacks of the backend",
        env=environment,
        cwd=places.repository,
    )
    return sorted(entry["name"].split("/")[-1] for entry in json.loads(listed))


def local_stacks(backend: Path) -> list[str]:
    """Return the project's stacks in a file backend."""
    folder = backend / ".pulumi" / "stacks" / APPLICATION
    return sorted(
        {
            path.name.split(".json")[0]
            for path in folder.glob("*.json*")
            if path.name.endswith((".json", ".json.gz"))
        }
    )


def outputs(places: Places, stack: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the stack's outputs; secret ones stay hidden."""
    printed = run(
        ["pulumi", "stack", "output", "--json", "--stack", stack],
        title=f"reading the outputs of {stack}",
        env=environment,
        cwd=places.repository,
    )
    loaded: dict[str, Any] = json.loads(printed)
    return loaded


def answers(values: Mapping[str, Any]) -> str:
    """Return what an operator wants to see: questions, answers, addresses."""
    lines = [""]
    for answer in values.get("smoke_answers") or []:
        lines += [f"  question  {answer['prompt']}", f"  answer    {answer['answer']}", ""]
    fronted = values.get("reverse_proxy_urls") or {}
    for section, key, label in (
        ("ollama_server", "ollama_url", "Ollama"),
        ("board", "board_url", "LLaMA Board"),
        ("api", "api_url", "API"),
        ("tensorboard", "tensorboard_url", "TensorBoard"),
        ("metrics", "metrics_url", "Metrics"),
    ):
        if values.get(key):
            also = f", {fronted[section]}" if section in fronted else ""
            lines.append(f"  {label:<12}{values[key]}{also}")
    return "\n".join(lines)


def _select(places: Places, stack: str, environment: Mapping[str, str]) -> Path:
    stack_config.committed_config(places, stack)
    if exists(places, stack, environment):
        return stack_config.refresh_copy(places, stack, secrets_keys_of(places, stack))
    say(f"Creating the stack {stack} in {places.backend_url}")
    secrets_keys = stack_config.init_stack(places, stack, environment)
    return stack_config.refresh_copy(places, stack, secrets_keys)


def secrets_keys_of(places: Places, stack: str) -> Mapping[str, Any]:
    """What opens the stack's secrets: from its copy, or else from its state, which has it too."""
    copy = stack_config.config_copy(places, stack)
    if copy.exists() or places.local_backend is None:
        return stack_config.read(copy) if copy.exists() else {}
    state = places.local_backend / ".pulumi" / "stacks" / APPLICATION / f"{stack}.json"
    try:
        checkpoint = json.loads(state.read_text())["checkpoint"]["latest"] or {}
    except (OSError, ValueError, KeyError) as error:
        msg = f"the state of {stack} in {state} cannot be read: {error}"
        raise ToolchainError(msg) from error
    salt = ((checkpoint.get("secrets_providers") or {}).get("state") or {}).get("salt")
    return {"encryptionsalt": salt} if salt else {}


def _momentary_backend(folder: Path) -> dict[str, str]:
    """Settings for a backend that goes with its folder."""
    backend = folder / "backend"
    backend.mkdir()
    settings = {"PULUMI_BACKEND_URL": f"file://{backend}"}
    if not has_own_passphrase(os.environ):
        passphrase = folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(32))
        settings["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    return settings


def _pulumi(
    command: list[str], places: Places, stack: str, config: Path, environment: Mapping[str, str]
) -> int:
    options = ["--stack", stack, "--config-file", str(config), "--color", "auto"]
    return follow(["pulumi", *command, *options], env=environment, cwd=places.repository)
