"""One archive that takes a stack to a host without a network; docs/carrying.md."""
