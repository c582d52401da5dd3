"""Data files: read as LLaMA-Factory's loader reads them, each row checked on the way."""
