"""Conversions to GGUF."""

from components.stage import Stage


class GgufConversion(Stage):
    """One run of llama.cpp's converter on the merged model."""
