"""What a training will take, before it runs: steps, tokens, time. Estimates, which are told."""
