"""The one look at the host."""
