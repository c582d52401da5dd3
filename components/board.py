"""LLaMA Board, the web UI of LLaMA-Factory."""

import pulumi

from components.naming import type_token
from components.service import ServiceArgs, service_container, service_url


class Board(pulumi.ComponentResource):
    """LLaMA Board with its Train and Chat tabs, on the stack's data, output and HF cache.

    Owns the container. What is trained by hand in it is not part of the stack.
    """

    url: pulumi.Output[str]
    """URL as seen from the host."""

    def __init__(
        self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("Board"), name, None, opts)
        container = service_container(f"{name}-container", args, parent=self)
        self.url = service_url(args.plan, container.name)
        self.register_outputs({"url": self.url})
