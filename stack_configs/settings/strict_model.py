"""The base of every settings section, and the value types that several sections share."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stack_configs.settings.rule import rule_error


class StrictModel(BaseModel):
    """A section of the settings: a misspelt key is an error and a loaded section never changes."""

    # `model_` names are ours to use; pydantic's own methods keep theirs.
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )


def _require_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise rule_error(
            f"{value!r} is no IP address", "use 127.0.0.1, 0.0.0.0 or an address of the host"
        ) from None
    return value


def _forbid_credentials(url: str) -> str:
    if "@" in url.split("://", 1)[-1].split("/", 1)[0]:
        # The value is not repeated: builds and the state would show it as well.
        raise rule_error(
            "the address holds a user name or a password, which would end up in plain state",
            "use an address that needs none, such as a mirror inside your network",
        )
    return url


Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
        description="Lower-case letters, digits and '-': it becomes part of container names.",
        examples=["my-model"],
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Version = Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+-]*$")]
BindAddress = Annotated[
    str,
    AfterValidator(_require_address),
    Field(
        description="Host address that a port is published on; 127.0.0.1 keeps it on the host.",
    ),
]
Url = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_forbid_credentials)]
ImageReference = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*([:/@][A-Za-z0-9][A-Za-z0-9._-]*)*$")
]
