"""What is worth a warning: nothing here is certain, so nothing here refuses (T5, T6)."""
