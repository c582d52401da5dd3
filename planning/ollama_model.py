"""Ollama models: the Modelfile, and the proof asked for before a model is served (E4, E5)."""

import json

from plan.identity import identity
from plan.step import OllamaModelStep, SmokePrompt
from planning.chat_template import OLLAMA_TEMPLATES
from planning.gguf_conversion import GgufConversionPlan
from planning.step import Surroundings
from stack_configs.settings.models import ModelSettings


def plan_ollama_model(
    settings: ModelSettings,
    *,
    gguf: GgufConversionPlan,
    server: str,
    around: Surroundings,
    trained_system: str | None = None,
) -> OllamaModelStep:
    """The Ollama model of a converted model; `trained_system` as `render_modelfile` has it."""
    modelfile = render_modelfile(settings, gguf_file=gguf.file, trained_system=trained_system)
    prompts = tuple(
        SmokePrompt(prompt=smoke.prompt, expect=smoke.expect)
        for smoke in settings.ollama_model.smoke_prompts
    )
    mark = identity(
        "ollama-model",
        settings.served_name,
        modelfile,
        # Another version may quantize in another way.
        [gguf.quantize, around.images.ollama.recipe] if gguf.quantize else None,
        [[smoke.prompt, smoke.expect] for smoke in prompts],
    )
    return OllamaModelStep(
        name=around.name(settings.name, "ollama-model"),
        identity=mark,
        server=server,
        served_name=settings.served_name,
        modelfile=modelfile,
        quantize=gguf.quantize,
        smoke_prompts=prompts,
    )


def render_modelfile(
    settings: ModelSettings, *, gguf_file: str, trained_system: str | None = None
) -> str:
    """The Modelfile: weights, the template of the training, stop words, system, parameters.

    `trained_system` is the system text that training put in place of the template's own, if any:
    an empty one means that there was none.
    """
    template = OLLAMA_TEMPLATES[settings.template]
    trained = template.system if trained_system is None else trained_system
    system = settings.ollama_model.system or trained
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
