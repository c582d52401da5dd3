"""What lies on a host for a stack, what it is there for, and the way out for what nobody needs."""
