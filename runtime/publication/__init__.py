"""Models in a registry."""
