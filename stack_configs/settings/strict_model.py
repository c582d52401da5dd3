"""The base of every settings section, and the value types that several sections share."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from stack_configs.settings.rule import rule_error


class StrictModel(BaseModel):
    """A section of the settings: a misspelt key is an error and a loaded section never changes."""

    # `model_` names are ours to use; pydantic's own methods keep theirs.
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`port: true` is no port, though Python counts with it: as a text it is refused."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and bool not in (types := _types(field.annotation)):
            return str(value).lower() if types & {int, float} else value
        return value


def _types(annotation: Any) -> set[Any]:
    """The types of an annotation, without what they hold."""
    if get_args(annotation) and not isinstance(annotation, type):
        return {each for part in get_args(annotation) for each in _types(part)}
    return {annotation} if isinstance(annotation, type) else set()


def found_from_the_settings(value: str | None, info: ValidationInfo) -> Path | None:
    """Where a path leads, from the folder of the settings file; None where no file was read."""
    directory = (info.context or {}).get("directory")
    return None if value is None or directory is None else Path(directory) / value


def _require_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise rule_error(
            f"{value!r} is no IP address", "use 127.0.0.1, 0.0.0.0 or an address of the host"
        ) from None
    return value


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def _forbid_password(address: str) -> str:
    if ":" in _host(address).rpartition("@")[0]:
        # The value is not repeated: the state would show it as well.
        raise rule_error(
            "the address holds a password, which would end up in plain state",
            "leave it out, and let the engine's host take a key of yours",
        )
    return address


def _forbid_credentials(url: str) -> str:
    if "@" in _host(url):
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
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""What programs count in 32 bits."""
Gigabytes = Annotated[float, Field(ge=0.001, le=1_000_000)]
"""From a megabyte to a petabyte."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What NumPy takes."""
Port = Annotated[int, Field(ge=1, le=65535)]
Version = Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+-]{0,63}$")]
BindAddress = Annotated[
    str,
    AfterValidator(_require_address),
    Field(
        description="Host address that a port is published on; 127.0.0.1 keeps it on the host.",
    ),
]
Url = Annotated[
    str,
    # Without what a shell, sed or a line of a configuration would take for more than an address.
    Field(pattern=r"^https?://[A-Za-z0-9\[][A-Za-z0-9\[\]._~:/?=@%+,-]*$", max_length=2000),
    AfterValidator(_forbid_credentials),
]


def _demand_no_way_up(path: str) -> str:
    if ".." in path.split("/"):
        raise rule_error(
            "the path has a part that leads upwards (..)",
            "write the folder's own path",
            value=repr(path),
        )
    return path


AbsoluteFolder = Annotated[
    str, Field(pattern=r"^/[^\n]*[^/\n][^\n]*$"), AfterValidator(_demand_no_way_up)
]


def _demand_words(text: str) -> str:
    if not text.strip():
        raise rule_error("there is nothing in it but space", "write a text", value=repr(text))
    return text


def _demand_single_marks(name: str) -> str:
    if ".." in name or "--" in name:
        raise rule_error(
            "the hub takes no .. and no -- in a name", "copy the id from its page", value=repr(name)
        )
    return name


HubId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
        r"/[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$"
    ),
    AfterValidator(_demand_single_marks),
]
"""`OWNER/NAME`, as the hub's client takes it."""

Words = Annotated[str, Field(min_length=1), AfterValidator(_demand_words)]
"""A text that says something."""

EngineAddress = Annotated[
    str,
    Field(pattern=r"^(unix:///|(tcp|ssh)://[A-Za-z0-9\[_])[^\s\\\"'`$;|&<>]*$", max_length=500),
    AfterValidator(_forbid_password),
]
_IMAGE_HOST = r"[A-Za-z0-9][A-Za-z0-9-]*((\.[A-Za-z0-9-]+)+(:[0-9]+)?|:[0-9]+)/"
_IMAGE_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
ImageReference = Annotated[
    str,
    Field(
        pattern=rf"^({_IMAGE_HOST})?{_IMAGE_PART}(/{_IMAGE_PART})*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?"
        r"(@[A-Za-z0-9+._-]+:[A-Fa-f0-9]+)?$",
        max_length=500,
    ),
]
"""As the engine reads it: a registry's host and a tag may have capitals, a name may not."""
