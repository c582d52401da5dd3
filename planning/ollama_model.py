"""Ollama models: the Modelfile, and the proof asked for before a model is served (E4, E5)."""

import json
from dataclasses import dataclass

from planning import paths
from planning.chat_template import OLLAMA_TEMPLATES
from planning.fingerprint import fingerprint
from planning.gguf_conversion import GgufConversionPlan
from stack_configs.settings.models import ModelSettings, SmokePromptSettings


@dataclass(frozen=True, kw_only=True)
class OllamaModelPlan:
    """One model as Ollama serves it."""

    name: str
    served_name: str
    modelfile: str
    quantize: str | None
    """Quantization that `ollama create` makes; None when the GGUF file has it already."""
    smoke_prompts: tuple[SmokePromptSettings, ...]
    fingerprint: str
    marker: str
    manifest: str
    deadline_seconds: int = 3600
    """For creating, quantizing and asking."""


def plan_ollama_model(
    settings: ModelSettings, *, name: str, gguf: GgufConversionPlan
) -> OllamaModelPlan:
    """The Ollama model of a converted model."""
    modelfile = render_modelfile(settings, gguf_file=gguf.file)
    prompts = settings.ollama_model.smoke_prompts
    mark = fingerprint(
        "ollama-model",
        settings.served_name,
        modelfile,
        gguf.quantize,
        [prompt.model_dump() for prompt in prompts],
    )
    return OllamaModelPlan(
        name=name,
        served_name=settings.served_name,
        modelfile=modelfile,
        quantize=gguf.quantize,
        smoke_prompts=prompts,
        fingerprint=mark,
        marker=str(paths.model_marker(mark)),
        manifest=str(paths.ollama_manifest(settings.served_name)),
    )


def render_modelfile(settings: ModelSettings, *, gguf_file: str) -> str:
    """The Modelfile: weights, the template of the training, stop words, system, parameters."""
    template = OLLAMA_TEMPLATES[settings.template]
    system = settings.ollama_model.system or template.system
    own = settings.ollama_model.parameters
    stops = dict.fromkeys((*template.stop, *own.stop))
    parameters = own.model_dump(exclude={"stop"}, exclude_none=True)
    lines = [f"FROM {gguf_file}", f'TEMPLATE """{template.template}"""']
    if system:
        lines.append(f'SYSTEM """{system}"""')
    lines += [f"PARAMETER stop {_quoted(stop)}" for stop in stops]
    lines += [f"PARAMETER {key} {json.dumps(value)}" for key, value in sorted(parameters.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """The text as a Modelfile quotes it; Ollama takes what is between the quotes as it is."""
    return f'"""{text}"""' if '"' in text or "\n" in text else f'"{text}"'
