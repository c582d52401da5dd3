"""The images of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components import type_tokens
from plan.image import BASE_ARGUMENT, BUILD_ARGUMENT, ImagePlan, ImagesPlan


@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """The images to have."""

    plan: ImagesPlan
    tokens: Mapping[str, str]
    """By role: changes when a built image is gone, which builds it again."""
    platform: str | None
    """The engine's: unset, the provider takes the workstation's."""
    after: Sequence[pulumi.Resource]
    """The claimed host: on one that is another stack's, nothing is downloaded."""


class Images(pulumi.ComponentResource):
    """The images that train, convert and serve: built, or pulled ready-made.

    Bases are pulled before the builds that need them, so that a registry which cannot be reached
    is found out in seconds. Images stay on the engine when the stack goes, as its download cache.
    """

    by_reference: Mapping[str, pulumi.Resource]
    """Each image by what containers name."""

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.IMAGES, name, None, opts)
        self._tokens, self._platform, self._after = args.tokens, args.platform, list(args.after)
        self._bases: dict[str, docker.RemoteImage] = {}
        made: dict[str, pulumi.Resource] = {}
        for plan in args.plan.all:
            made[plan.reference] = (
                self._built(f"{name}-{plan.role}", plan, made)
                if plan.is_built
                else self._pulled(f"{name}-{plan.role}", plan.reference)
            )
        self.by_reference = made
        self.register_outputs({})

    def _built(
        self, name: str, plan: ImagePlan, made: Mapping[str, pulumi.Resource]
    ) -> docker.Image:
        # The build names its base in an argument; nothing else says that it must be there. One that
        # takes no such argument names its base itself, and the engine pulls it.
        named = plan.args.get(BASE_ARGUMENT)
        base = (made.get(named) or self._base(f"{name}-base", named)) if named else None
        return docker.Image(
            name,
            image_name=plan.reference,
            build=docker.DockerBuildArgs(
                context=plan.context,
                dockerfile=plan.dockerfile,
                args={**plan.args, BUILD_ARGUMENT: self._tokens.get(plan.role, "")},
                platform=self._platform,
                builder_version=docker.BuilderVersion(plan.builder),
            ),
            skip_push=True,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*([base] if base else []), *self._after]
            ),
        )

    def _base(self, name: str, reference: str) -> docker.RemoteImage:
        if reference not in self._bases:
            self._bases[reference] = self._pulled(name, reference)
        return self._bases[reference]

    def _pulled(self, name: str, reference: str) -> docker.RemoteImage:
        return docker.RemoteImage(
            name,
            name=reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._after),
        )
