"""The programs that pulumi-command runs. They speak to the engine; they know no settings."""
