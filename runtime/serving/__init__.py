"""Models in Ollama."""
