"""The inputs of `local.Command`, and what may be in them.

Names and types are those of pulumi-command's schema (`provider/pkg/provider/local/base.go`,
`common/inputs.go`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from toolchain.offline.plugins.property_values import Properties, Unknown, reveal
from toolchain.offline.plugins.provider import Failure

LOGGING_CHOICES: Final = ("stdout", "stderr", "stdoutAndStderr", "none")


def _is_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "has to be a string"


def _is_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "has to be true or false"


def _is_text_map(value: Any) -> str | None:
    if isinstance(value, Mapping) and all(
        isinstance(item, str | Unknown) for item in value.values()
    ):
        return None
    return "has to map names to strings"


def _is_logging(value: Any) -> str | None:
    return None if value in LOGGING_CHOICES else "has to be one of " + ", ".join(LOGGING_CHOICES)


COMMAND_INPUTS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "create": _is_text,
    "update": _is_text,
    "delete": _is_text,
    "stdin": _is_text,
    "logging": _is_logging,
    "environment": _is_text_map,
    "addPreviousOutputInEnv": _is_flag,
}


def check_inputs(subject: str, news: Properties) -> tuple[Failure, ...]:
    """Say what is wrong with the inputs: everything at once."""
    failures = []
    for key, marked in news.items():
        # `version` and `__...` come from Pulumi itself (pulumi-go-provider drops them likewise).
        if key == "version" or key.startswith("__"):
            continue
        if key not in COMMAND_INPUTS:
            reason = (
                f"{subject}: property {key} is not served by this stand-in; "
                "the official command plugin 1.2.1 is needed for it"
            )
            failures.append(Failure(key, reason))
            continue
        value = reveal(marked)
        if value is None or isinstance(value, Unknown):
            continue
        problem = COMMAND_INPUTS[key](value)
        if problem:
            # The value itself is left out: it may be a secret.
            got = type(value).__name__
            failures.append(Failure(key, f"{subject}: property {key} {problem}, got {got}"))
    return tuple(failures)
