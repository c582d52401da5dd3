"""`report` and `verify`: the state of one stack, handed to the program that looks at it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from toolchain import stack_config
from toolchain.errors import ToolchainError
from toolchain.places import APPLICATION, Places
from toolchain.process import follow, run
from toolchain.progress import say
from toolchain.stack import exists, secrets_keys_of

SIGNING_KEY = "signing_key"
"""The secret that holds the text of a key."""
KEY_VARIABLE = "SIGNING_KEY"


def report(
    places: Places, stack: str, environment: Mapping[str, str], *, key: str | None = None
) -> int:
    """Write the page, the cards and, where there is a key, where the models come from."""
    exported = _export(places, stack, environment)
    secret = _signing_key(places, stack, environment) if key is None else ""
    if key is None and not secret:
        say(f"Looking at what the stack {stack} has on its host")
        return _program([], places, stack, environment, exported)
    say(f"Looking at what the stack {stack} has on its host, and reading every byte of its models")
    words = ["--sign", *(["--key", key] if key else [])]
    return _program(words, places, stack, {**environment, KEY_VARIABLE: secret}, exported)


def verify(
    places: Places, stack: str, environment: Mapping[str, str], *, key: str | None = None
) -> int:
    """Read every byte again, and tell each that is not as it was signed."""
    exported = _export(places, stack, environment)
    secret = _signing_key(places, stack, environment) if key is None else ""
    words = ["--verify", *(["--key", key] if key else [])]
    say(f"Reading every byte of the models of {stack}")
    return _program(words, places, stack, {**environment, KEY_VARIABLE: secret}, exported)


def _program(
    words: list[str], places: Places, stack: str, environment: Mapping[str, str], exported: str
) -> int:
    return follow(
        [places.venv / "bin" / "python", "-m", "report", places.reports / stack, *words],
        env=environment,
        cwd=places.repository,
        stdin=exported,
    )


def _export(places: Places, stack: str, environment: Mapping[str, str]) -> str:
    if not exists(places, stack, environment):
        msg = f"the stack {stack} is not there: make up STACK={stack} makes it"
        raise ToolchainError(msg)
    return run(
        ["pulumi", "stack", "export", "--stack", stack],
        title=f"reading the state of {stack}",
        env=environment,
        cwd=places.repository,
    )


def _signing_key(places: Places, stack: str, environment: Mapping[str, str]) -> str:
    """The secret of that name; empty where the stack has none."""
    config = stack_config.refresh_copy(places, stack, secrets_keys_of(places, stack))
    options = ["--stack", stack, "--config-file", config, "--non-interactive"]
    title = f"reading the configuration of {stack}"
    known = json.loads(
        run(
            ["pulumi", "config", "--json", *options],
            title=title,
            env=environment,
            cwd=places.repository,
        )
    )
    # One that is declared and not set has its default, which is empty.
    if not known.get(f"{APPLICATION}:{SIGNING_KEY}", {}).get("secret"):
        return ""
    return run(
        ["pulumi", "config", "get", SIGNING_KEY, *options],
        title=title,
        env=environment,
        cwd=places.repository,
    )
