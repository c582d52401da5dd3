"""The policy pack: rules that teams ask for, held to what the engine is told of a stack.

`pulumi preview --policy-pack policy` judges by it. A team sets the level of each rule, and what it
takes, in a file of its own (`--policy-pack-config`): see docs/policy.md.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

CONTAINER = "docker:index/container:Container"
BUILT_IMAGE = "docker:index/image:Image"
PULLED_IMAGE = "docker:index/remoteImage:RemoteImage"
PIPELINE = "finetune-stack:index:FineTunePipeline"
OWN_IMAGES = "finetune-stack/"
"""Images that a stack builds: the tag of each is made of all that goes into it."""

SHARED = "GRADIO_SHARE=1"
"""What opens a public link past every firewall."""

SECRETS: Mapping[str, re.Pattern[str]] = {
    "a token of a model hub": re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    "a key of an API": re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"),
    "a token of GitHub or GitLab": re.compile(r"\b(gh[opsur]_[A-Za-z0-9]{30,}|glpat-[\w-]{20,})"),
    "a key of a cloud": re.compile(r"\bA(KIA|SIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"),
}
"""What a secret looks like, whatever its setting is called."""


def public_bind(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """A container that other hosts reach has to ask who comes."""
    if args.resource_type != CONTAINER:
        return
    variables = list(args.props.get("envs") or ())
    if SHARED in variables:
        report(
            f"{args.name} opens a public link through Gradio's servers, without a password. "
            "Set board.share to false",
            args.urn,
        )
    names = {str(variable).partition("=")[0] for variable in variables}
    if names & set(args.get_config()["authenticatedBy"]):
        return
    for port in args.props.get("ports") or ():
        address = port.get("ip") or "0.0.0.0"  # noqa: S104 - the engine's own default
        if not ipaddress.ip_address(address).is_loopback:
            report(
                f"{args.name} listens at {address}:{int(port['external'])} for other hosts, and "
                "asks nobody for a key. Set its bind_address to 127.0.0.1, and let reverse_proxy "
                "ask who comes; or, for the API, `pulumi config set --secret api_key`",
                args.urn,
            )


def unpinned_image(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """What is pulled has to be the same tomorrow."""
    needs_digest = args.get_config()["pinnedBy"] == "digest"
    for image in _pulled(args):
        if image.startswith(OWN_IMAGES) or _has_digest(image):
            continue
        if needs_digest:
            report(
                f"{args.name} pulls {image}, which has no digest: write name@sha256:...", args.urn
            )
        elif _tag(image) in ("", "latest"):
            report(f"{args.name} pulls {image}, which moves: write a tag or a digest", args.urn)


def unretained_output(args: StackValidationArgs, report: ReportViolation) -> None:
    """What was trained has to outlive a destroy."""
    for urn, settings in _settings(args):
        output = settings["volumes"]["output"]
        if not output["retain"] and not output["host_path"]:
            report("a destroy takes what was trained. Set volumes.output.retain to true", urn)


def secret_in_settings(args: StackValidationArgs, report: ReportViolation) -> None:
    """A settings file is read by everybody who has the repository."""
    for urn, settings in _settings(args):
        for key, text in _texts(settings):
            for what, pattern in SECRETS.items():
                if pattern.search(text):
                    report(
                        f"{key} holds {what}. Withdraw it where it was given, and give the new "
                        "one to the stack with `pulumi config set --secret`",
                        urn,
                    )


def missing_evaluation(args: StackValidationArgs, report: ReportViolation) -> None:
    """No model takes a name unexamined."""
    for urn, settings in _settings(args):
        for index, model in enumerate(settings["models"]):
            if not model["ollama_model"]["evaluation"]:
                report(
                    f"models[{index}] ({model['name']}) is served without held-out questions. "
                    "Set ollama_model.evaluation",
                    urn,
                )


def _pulled(args: ResourceValidationArgs) -> Iterator[str]:
    """Images that a resource takes from a registry."""
    if args.resource_type == PULLED_IMAGE:
        yield args.props["name"]
    elif args.resource_type == BUILT_IMAGE:
        base = (args.props["build"].get("args") or {}).get("BASE_IMAGE")
        if base:
            yield base


def _has_digest(image: str) -> bool:
    return re.search(r"@sha256:[0-9a-f]{64}$", image) is not None


def _tag(image: str) -> str:
    # The colon of a registry's port begins no tag.
    return image.rpartition("/")[2].partition(":")[2]


def _settings(args: StackValidationArgs) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The settings as the pipeline resolved and told them, with its URN."""
    for resource in args.resources:
        if resource.resource_type == PIPELINE and "settings" in resource.props:
            yield resource.urn, resource.props["settings"]


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the settings, by its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name in value:
            yield from _texts(value[name], f"{key}.{name}" if key else str(name))
    elif isinstance(value, Sequence):
        for index in range(len(value)):
            yield from _texts(value[index], f"{key}[{index}]")


POLICIES = (
    ResourceValidationPolicy(
        name="no-public-bind-without-authentication",
        description="A service that other hosts reach asks who comes.",
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=PolicyConfigSchema(
            properties={
                "authenticatedBy": {
                    "type": "array",
                    "items": {"type": "string"},
                    "default": ["API_KEY", "REVERSE_PROXY_PASSWORD"],
                    "description": "Variables of a container that asks for a key where it has one.",
                }
            }
        ),
        validate=public_bind,
    ),
    ResourceValidationPolicy(
        name="no-unpinned-image",
        description="An image that is pulled is the same tomorrow.",
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=PolicyConfigSchema(
            properties={
                "pinnedBy": {
                    "enum": ["tag", "digest"],
                    "default": "tag",
                    "description": "What an image needs: a tag other than latest, or a digest.",
                }
            }
        ),
        validate=unpinned_image,
    ),
    StackValidationPolicy(
        name="no-secret-in-settings",
        description="A secret is in no settings file.",
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=secret_in_settings,
    ),
    StackValidationPolicy(
        name="output-is-retained",
        description="What was trained outlives a destroy.",
        enforcement_level=EnforcementLevel.ADVISORY,
        validate=unretained_output,
    ),
    StackValidationPolicy(
        name="evaluation-is-present",
        description="Held-out questions decide whether a model takes its name.",
        enforcement_level=EnforcementLevel.ADVISORY,
        validate=missing_evaluation,
    ),
)

if __name__ == "__main__":
    PolicyPack("finetune-stack", list(POLICIES))
