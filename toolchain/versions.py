"""The pinned versions. pyproject.toml and the go.mod files name them too; a test compares them."""

PULUMI = "3.259.0"
LANGUAGE_HOST = "3.79.0"
"""The last language host inside the SDK module: later ones have no module path to build from."""

PLUGINS = {"docker": "5.2.0", "command": "1.2.1"}
