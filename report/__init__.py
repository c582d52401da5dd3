"""The page that shows an operator a stack, made from what its steps left behind."""
