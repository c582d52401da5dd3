"""Secrets: the variables that carry them into a container. No plan holds a value."""

from collections.abc import Mapping

from plan.host import HubName

HUB_TOKEN = "HF_TOKEN"  # noqa: S105 - the variable's name, as huggingface_hub reads it
"""Of the model hub: for gated and private models."""

MODELSCOPE_TOKEN = "MODELSCOPE_API_TOKEN"  # noqa: S105 - likewise, as its package reads it
"""Of ModelScope."""

API_KEY = "API_KEY"
"""What clients of the API must send, as LLaMA-Factory reads it."""

WANDB_KEY = "WANDB_API_KEY"
SWANLAB_KEY = "SWANLAB_API_KEY"
MLFLOW_TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - likewise
"""Of the trackers, as their packages read them."""

JUDGE_KEY = "JUDGE_KEY"
"""What the API of an evaluation's judge asks for."""

REGISTRY_PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105 - likewise
"""Of the user who pushes models to a registry."""

REVERSE_PROXY_PASSWORD = "REVERSE_PROXY_PASSWORD"  # noqa: S105 - likewise
"""What the reverse proxy asks for."""

REVERSE_PROXY_TLS_KEY = "REVERSE_PROXY_TLS_KEY"
"""Private key of its certificate."""

TRACKER_KEYS: Mapping[str, str] = {
    "wandb_api_key": WANDB_KEY,
    "swanlab_api_key": SWANLAB_KEY,
    "mlflow_token": MLFLOW_TOKEN,
}

HUB_TOKENS: Mapping[HubName, str] = {
    "huggingface": "hub_token",
    "modelscope": "modelscope_token",
}
"""By hub: what `pulumi config set --secret` calls its token."""

VARIABLES: Mapping[str, str] = {
    "hub_token": HUB_TOKEN,
    "modelscope_token": MODELSCOPE_TOKEN,
    "api_key": API_KEY,
    "judge_key": JUDGE_KEY,
    "registry_password": REGISTRY_PASSWORD,
    "reverse_proxy_password": REVERSE_PROXY_PASSWORD,
    "reverse_proxy_tls_key": REVERSE_PROXY_TLS_KEY,
    **TRACKER_KEYS,
}
"""By what `pulumi config set --secret` calls them."""
