"""Pulumi component resources: one plain plan each, declared as resources."""
