"""Settings of the registry that models are published to (O6)."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import StrictModel, Words

OLLAMAS_OWN = ("ollama.com", "registry.ollama.ai")

LONGEST_PART = 80
"""Characters of a namespace and of a name: Ollama pulls none that has more."""


def _takes_a_password(host: str) -> str:
    if host.partition(":")[0].lower() in OLLAMAS_OWN:
        raise rule_error(
            "it lets in who has the key of an Ollama, and takes no password",
            "push there by hand (`ollama push`), or name a registry of your own",
        )
    return host


def _is_short_enough(name: str) -> str:
    parts = name.partition(":")[0].split("/")
    if long := next((part for part in parts if len(part) > LONGEST_PART), None):
        raise rule_error(
            f"{long[:20]}... has {len(long)} characters, and Ollama pulls no name with more than "
            f"{LONGEST_PART} in a part",
            "shorten it",
        )
    return name


PublishedName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*/[a-z0-9]+([._-][a-z0-9]+)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,79})?$",
        max_length=250,
    ),
    AfterValidator(_is_short_enough),
]
"""A repository of two parts and a tag: what registries take, and Ollama can name."""


class RegistrySettings(StrictModel):
    """An OCI registry that models are published to: see ollama_model.publish."""

    host: Annotated[
        Annotated[
            str,
            Field(
                pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$", max_length=250
            ),
            AfterValidator(_takes_a_password),
        ]
        | None,
        Field(
            description="Host, and port where it is not the usual one, as the machine with Pulumi "
            "and those who pull reach it.",
            examples=["registry.example.org:5000"],
        ),
    ] = None
    username: Annotated[
        Words | None,
        Field(
            description="Who pushes. The password: `pulumi config set --secret "
            "registry_password`. Unset: it asks for none."
        ),
    ] = None
    insecure: Annotated[
        bool,
        Field(description="It speaks HTTP. Who listens reads the password and the models."),
    ] = False
