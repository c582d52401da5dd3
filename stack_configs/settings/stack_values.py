"""What `pulumi config` and `pulumi stack init` hold, judged as the settings file is."""

from collections.abc import Iterator, Mapping

from plan.problem import Problem, SettingsError
from stack_configs.settings.reverse_proxy import PRIVATE_KEY

LONGEST_STACK = 80
"""Characters of project and stack: Ollama takes no longer name for a model on trial."""

ENCODED = "registry_password"
"""Goes into its header in an encoding of its own, whatever it holds."""

TLS_KEY = "reverse_proxy_tls_key"
HASHED, LONGEST_HASHED = "reverse_proxy_password", 72
"""Characters of what is kept as its bcrypt hash, which takes no more."""


def judge_stack_values(stack: str, secrets: Mapping[str, str]) -> None:
    """Raises `SettingsError` for a stack or a secret that nothing could be done with.

    `stack`: as everything on the host is called after it. No secret is repeated.
    """
    if problems := [*_stack_problems(stack), *_secret_problems(secrets)]:
        raise SettingsError(stack, problems)


def _stack_problems(stack: str) -> Iterator[Problem]:
    if len(stack) > LONGEST_STACK:
        yield Problem(
            "the stack's name",
            stack,
            f"with its project it has {len(stack)} characters, and Ollama takes {LONGEST_STACK}",
            "Name another stack: `pulumi stack init`",
        )


def _secret_problems(secrets: Mapping[str, str]) -> Iterator[Problem]:
    for name, value in secrets.items():
        if name == ENCODED:
            continue
        if name == TLS_KEY:
            yield from _key_problems(value)
            continue
        if name == HASHED and len(value) > LONGEST_HASHED:
            yield Problem(
                name,
                "",
                f"it has {len(value)} characters, and its hash takes {LONGEST_HASHED}",
                f"Set a shorter one: `pulumi config set --secret {name}`",
            )
        # It goes into a header, where nothing else can stand.
        if not (value.isascii() and value.isprintable() and " " not in value):
            yield Problem(
                name,
                "",
                "it holds a space, a line's end or a sign that is not ASCII, which no header can "
                "carry",
                f"Set it again, without one: `pulumi config set --secret {name}`",
            )


def _key_problems(key: str) -> Iterator[Problem]:
    if not key.startswith("-----BEGIN ") or PRIVATE_KEY not in key:
        yield Problem(
            TLS_KEY,
            "",
            "it is no private key in PEM (-----BEGIN PRIVATE KEY-----)",
            f"Set it from its file: `pulumi config set --secret {TLS_KEY} < key.pem`",
        )
