"""The Ollama server."""

import pulumi

from components.naming import type_token
from components.service import ServiceArgs, service_container, service_url


class OllamaServer(pulumi.ComponentResource):
    """An Ollama server with a persistent model store.

    Owns the container. Does not create models: see OllamaModel.
    """

    url: pulumi.Output[str]
    """Base URL as seen from the host."""
    container_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("OllamaServer"), name, None, opts)
        container = service_container(
            f"{name}-container",
            args,
            parent=self,
        )
        self.container_name = container.name
        self.url = service_url(args.plan, container.name)
        self.register_outputs({"url": self.url, "container_name": self.container_name})
