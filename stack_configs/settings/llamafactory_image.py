"""Settings of the image that trains: a release, a commit, or a Dockerfile of one's own (F1, F3)."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stack_configs.settings.built_image import BuiltImageSettings
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Version

Extra = Literal[
    "adam-mini",
    "apollo",
    "badam",
    "bitsandbytes",
    "deepspeed",
    "galore",
    "liger-kernel",
    "metrics",
    "mlflow",
    "ppo",
    "rope-scaling",
    "swanlab",
    "tensorboard",
    "unsloth",
    "wandb",
]
"""As LLaMA-Factory's own requirements/*.txt are called; `ppo`: the TRL that its stage ppo needs;
`rope-scaling`: what its argument rope_scaling needs with transformers 5; and the trackers."""

COMMIT = re.compile(r"[0-9a-f]{40}")
GIT_ADDRESS = re.compile(r"git\+(https?|git)://[^\s@#?]+")
"""What pip fetches without a key. One of ssh has none to use while an image is built."""


class LlamaFactoryImageSettings(BuiltImageSettings):
    """The image that trains, merges and serves the LLaMA Board."""

    version: Annotated[Version, Field(description="Release of LLaMA-Factory.")] = "0.9.5"
    source: Annotated[
        str | None,
        Field(
            description="LLaMA-Factory's source at a commit, in place of the release. Arguments "
            "and templates are judged by the release's.",
            examples=["git+https://github.com/hiyouga/LLaMA-Factory.git@COMMIT"],
        ),
    ] = None
    dockerfile: Annotated[
        str | None,
        Field(
            description="A Dockerfile of your own in a folder of its own, which is the build's "
            "context. Of the arguments that the stack gives (`BASE_IMAGE`, `LLAMAFACTORY_VERSION`, "
            "`EXTRAS`, ...) it gets those that it declares.",
            examples=["llamafactory/Dockerfile"],
        ),
    ] = None
    extras: Annotated[
        tuple[Extra, ...],
        Field(description="Optional parts of LLaMA-Factory, beside those that the runs need."),
    ] = ()

    @field_validator("source")
    @classmethod
    def _at_a_commit(cls, value: str | None) -> str | None:
        if value is None:
            return value
        address, _, commit = value.rpartition("@")
        # The value is not repeated: what stands before an @ may be a password.
        if not GIT_ADDRESS.fullmatch(address):
            raise rule_error(
                "it is no git address that a build can read without a key",
                "write git+https://HOST/OWNER/LLaMA-Factory.git@COMMIT, without a user name",
            )
        if not COMMIT.fullmatch(commit):
            raise rule_error(
                f"{commit} is no full commit: what a branch, a tag or a short commit names may "
                "change, and be trained with unseen",
                "end it with @ and the 40 digits that `git ls-remote` tells",
            )
        return value

    @field_validator("dockerfile")
    @classmethod
    def _dockerfile_found_from_the_settings(
        cls, value: str | None, info: ValidationInfo
    ) -> str | None:
        directory = (info.context or {}).get("directory")
        if value is None or directory is None:
            return value
        path = (Path(directory) / value).resolve()
        if not path.is_file():
            raise rule_error(f"file {value} does not exist", "correct the path or remove it")
        if path.parent == Path(directory).resolve():
            raise rule_error(
                f"{value} lies beside the settings, and all that lies beside it is sent to the "
                "build",
                "move it into a folder of its own",
            )
        return str(path)

    @model_validator(mode="after")
    def _one_way_to_be_made(self) -> Self:
        given = {name for name in ("image", "dockerfile", "source") if getattr(self, name)}
        if len(given) > 1:
            first, *others = (name for name in ("image", "dockerfile", "source") if name in given)
            raise rule_error(
                f"{first} says what is in the image, so {' and '.join(others)} has no effect",
                "keep one of them",
            )
        return self
