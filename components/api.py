"""The OpenAI-style API of LLaMA-Factory."""

import pulumi

from components.naming import type_token
from components.service import ServiceArgs, service_container, service_url


class Api(pulumi.ComponentResource):
    """`llamafactory-cli api` on a trained model, before its merge.

    Owns the container. It is replaced when the model was trained anew.
    """

    url: pulumi.Output[str]
    """Base URL for OpenAI's clients, as seen from the host; ends in `/v1`."""

    def __init__(
        self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("Api"), name, None, opts)
        container = service_container(f"{name}-container", args, parent=self)
        self.url = pulumi.Output.concat(service_url(args.plan, container.name), "/v1")
        self.register_outputs({"url": self.url})
