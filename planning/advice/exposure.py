"""Who besides the host can reach what keeps running, and what is sent (T1, E1, E5, O6)."""

import ipaddress
from collections.abc import Iterator

from plan.problem import Problem
from stack_configs.settings.root import Settings

KEEP_PRIVATE = (
    "Set it to 127.0.0.1, and reach it through ssh -L or reverse_proxy, which asks who comes"
)


def about_exposure(settings: Settings, *, has_api_key: bool) -> Iterator[Problem]:
    """Services that anyone may use who can reach the host, and a password that anyone may read.

    `has_api_key`: whether the stack's secret `api_key` is set; no other service has a key.
    """
    api, board, ollama = settings.api, settings.board, settings.ollama_server
    if api.enabled and _is_public(api.bind_address) and not has_api_key:
        yield Problem(
            "api.bind_address",
            repr(api.bind_address),
            "other hosts can reach the API, and it asks nobody for a key",
            "Set one with `pulumi config set --secret api_key`, or set this to 127.0.0.1",
        )
    if _is_public(ollama.bind_address):
        yield Problem(
            "ollama_server.bind_address",
            repr(ollama.bind_address),
            "other hosts can reach Ollama, which knows no keys: whoever does can use, copy and "
            "delete its models",
            KEEP_PRIVATE,
        )
    if board.enabled and _is_public(board.bind_address):
        yield Problem(
            "board.bind_address",
            repr(board.bind_address),
            "other hosts can reach LLaMA Board, which asks for no password: whoever does can "
            "train, and read the data sets and the models",
            KEEP_PRIVATE,
        )
    if board.enabled and board.share:
        yield Problem(
            "board.share",
            "true",
            "GRADIO_SHARE opens a public link through Gradio's servers, past the firewall: whoever "
            "has it can use LLaMA Board, without a password",
            "Leave it out once you have shown what you wanted to show",
        )
    tensorboard = settings.tensorboard
    if tensorboard.enabled and _is_public(tensorboard.bind_address):
        yield Problem(
            "tensorboard.bind_address",
            repr(tensorboard.bind_address),
            "other hosts can reach TensorBoard, which asks for no password: whoever does can read "
            "the settings and the figures of every training",
            KEEP_PRIVATE,
        )
    metrics = settings.metrics
    if metrics.enabled and _is_public(metrics.bind_address):
        yield Problem(
            "metrics.bind_address",
            repr(metrics.bind_address),
            "other hosts can reach the metrics, which ask for no password: whoever does can read "
            "the names of models and runs, and how they go",
            KEEP_PRIVATE,
        )
    registry = settings.registry
    if registry.host and registry.insecure and registry.username and not _is_here(registry.host):
        yield Problem(
            "registry.insecure",
            "true",
            f"the password of {registry.username} goes to {registry.host} without encryption, for "
            "all on the way to read",
            "Let the registry speak HTTPS, and leave this out",
        )


def _is_here(host: str) -> bool:
    return host.partition(":")[0] in ("localhost", "127.0.0.1")


def _is_public(bind_address: str) -> bool:
    return not ipaddress.ip_address(bind_address).is_loopback
