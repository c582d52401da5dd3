"""The base model of a demo, generated."""

from components.stage import Stage


class BaseModel(Stage):
    """A tiny model with random weights, made by a stage of its own."""
