"""What is written for readers: by hand, or made from the code by `python -m docs.generate`."""
