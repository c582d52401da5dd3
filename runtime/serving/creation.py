"""Creates models in Ollama of nothing but whole layers."""

from plan.ollama_model import OllamaModelStep
from plan.paths import ollama_manifest
from runtime.docker.engine import Engine
from runtime.program import say
from runtime.serving.layers import all_layers, read_layers
from runtime.serving.ollama import Ollama


def create_whole(
    engine: Engine, ollama: Ollama, step: OllamaModelStep, candidate: str, modelfile: str
) -> None:
    """Make the candidate for a step. A layer that is there becomes part of it as it is: what is
    damaged has to go, and is made again."""
    served = read_layers(engine, step.server, step.manifest)
    there = all_layers(engine, step.server)
    cut = {digest for digest in served if there.get(digest) != served[digest]}
    ollama.remove_layers(cut)
    ollama.create(candidate, modelfile, step.quantize)
    made = read_layers(engine, step.server, ollama_manifest(candidate))
    if damaged := ollama.damaged_layers(made.keys() & (there.keys() - cut)):
        say(
            f"serve {step.served_name}: {damaged[0]} in Ollama's store is damaged: it is made again"
        )
        ollama.remove_layers(damaged)
        ollama.create(candidate, modelfile, step.quantize)
