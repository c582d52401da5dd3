"""The images of a stack."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.naming import type_token
from planning.images import ImagePlan, ImagesPlan


@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """The images to have."""

    plan: ImagesPlan


class Images(pulumi.ComponentResource):
    """The images that train, convert and serve: built, or pulled ready-made.

    Bases are pulled before the builds that need them, so that a registry which cannot be reached
    is found out in seconds. Images stay on the engine when the stack goes, as its download cache.
    """

    llamafactory: pulumi.Output[str]
    converter: pulumi.Output[str]
    ollama: pulumi.Output[str]

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("Images"), name, None, opts)
        plan = args.plan
        self._bases: dict[str, docker.RemoteImage] = {}
        self.llamafactory = self._image(name, plan.llamafactory)
        self.converter = self._image(name, plan.converter, base=self.llamafactory)
        self.ollama = self._image(name, plan.ollama)
        self.register_outputs(
            {
                "llamafactory": self.llamafactory,
                "converter": self.converter,
                "ollama": self.ollama,
            }
        )

    def _image(
        self, name: str, plan: ImagePlan, base: pulumi.Output[str] | None = None
    ) -> pulumi.Output[str]:
        if not plan.is_built:
            return self._pulled(f"{name}-{plan.role}", plan.reference).name
        needs: list[pulumi.Resource] = []
        args: dict[str, pulumi.Input[str]] = dict(plan.args)
        if plan.base_image is None and base is not None:
            args["BASE_IMAGE"] = base
        elif plan.base_image is not None:
            if plan.base_image not in self._bases:
                role = f"{name}-{plan.role}-base"
                self._bases[plan.base_image] = self._pulled(role, plan.base_image)
            # The build names its base in an argument; nothing else says that it must be there.
            needs.append(self._bases[plan.base_image])
        image = docker.Image(
            f"{name}-{plan.role}",
            image_name=plan.reference,
            build=docker.DockerBuildArgs(
                context=plan.context,
                dockerfile=plan.dockerfile,
                args=args,
                builder_version=docker.BuilderVersion(plan.builder),
            ),
            skip_push=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
        return image.image_name

    def _pulled(self, name: str, reference: str) -> docker.RemoteImage:
        return docker.RemoteImage(
            name,
            name=reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
