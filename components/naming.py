"""Names that the engine and the stack's state know the project's own things by."""

LABEL = "finetune-stack"
"""Prefix of every label; `finetune-stack.stack` says which stack owns a thing."""


def type_token(noun: str) -> str:
    """The type of a component. It is part of every child's identity: never change it."""
    return f"{LABEL}:index:{noun}"


def owner_labels(stack: str) -> dict[str, str]:
    """Labels of everything that a stack creates on the engine."""
    return {f"{LABEL}.stack": stack}
