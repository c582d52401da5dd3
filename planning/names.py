"""What the engine knows a stack's things by. Names are fixed, so that each is found again."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PhysicalNames:
    """Names of what a stack has one of."""

    network: str
    ollama_server: str
    board: str
    api: str
    tensorboard: str
    metrics: str
    reverse_proxy: str


def physical_names(stack: str) -> PhysicalNames:
    """The names of one stack."""
    return PhysicalNames(
        network=f"{stack}-network",
        ollama_server=f"{stack}-ollama-server",
        board=f"{stack}-board",
        api=f"{stack}-api",
        tensorboard=f"{stack}-tensorboard",
        metrics=f"{stack}-metrics",
        reverse_proxy=f"{stack}-reverse-proxy",
    )
