"""Merges of an adapter into its base model."""

from components.stage import Stage


class Merge(Stage):
    """One run of `llamafactory-cli export`."""
