"""How much memory runs of real models hold, told by PyTorch, beside what the estimate says."""
