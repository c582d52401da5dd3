"""How a host gets what the stack runs on: the CLI, its plugins, a Docker engine, a base image."""
