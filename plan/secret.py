"""Secrets: the variables that carry them into a container. No plan holds a value."""

HUB_TOKEN = "HF_TOKEN"  # noqa: S105 - the variable's name, as huggingface_hub reads it
"""Of the model hub: for gated and private models."""

API_KEY = "API_KEY"
"""What clients of the API must send, as LLaMA-Factory reads it."""
