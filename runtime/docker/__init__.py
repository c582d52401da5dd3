"""Access to the Docker engine."""
