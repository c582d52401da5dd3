"""How much memory a training run needs on each GPU, from the model's shape and the run (T5)."""
