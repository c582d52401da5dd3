"""Ollama models: the Modelfile, and the proof asked for before a model is served (E4, E5)."""

import json
from pathlib import PurePosixPath
from typing import Any

from plan.codec import as_json
from plan.evaluation import Evaluation, ToolCall
from plan.identity import identity
from plan.ollama_model import OllamaModelStep, SmokePrompt
from plan.step import ContainerStepPlan
from planning.chat_parity import plan_chat_parity
from planning.gguf_conversion import FILE, quantized_by_ollama
from planning.step import Surroundings
from planning.trained_chat import TrainedChat
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.questions import SmokePromptSettings


def plan_ollama_model(
    settings: ModelSettings,
    *,
    gguf: ContainerStepPlan,
    server: str,
    around: Surroundings,
    chat: TrainedChat,
    encoded_in: PurePosixPath,
    evaluation: Evaluation | None = None,
    base: ContainerStepPlan | None = None,
) -> OllamaModelStep:
    """The Ollama model of the GGUF file that step `gguf` left.

    `encoded_in` as `plan_chat_parity` has it; `base` is what the evaluation compares it with.
    An evaluation is no part of its identity: another one is asked of the model that serves, which
    goes on serving.
    """
    own = settings.ollama_model
    quantize = quantized_by_ollama(settings.gguf_conversion)
    modelfile = render_modelfile(settings, chat=chat, gguf_file=str(gguf.artefact / FILE))
    parity = plan_chat_parity(
        chat,
        encoded_in=encoded_in,
        system=own.system,
        is_required=own.chat_parity == "required",
    )
    prompts = tuple(_smoke_prompt(smoke) for smoke in own.smoke_prompts)
    mark = identity(
        "ollama-model",
        settings.served_name,
        modelfile,
        # Another version may quantize in another way.
        [quantize, around.images.ollama.recipe] if quantize else None,
        [_identity_of(smoke) for smoke in prompts],
        as_json(parity),
    )
    return OllamaModelStep(
        name=around.name(settings.name, "ollama-model"),
        identity=mark,
        reads=(str(gguf.artefact), parity.encoding, *([str(base.artefact)] if base else [])),
        server=server,
        served_name=settings.served_name,
        modelfile=modelfile,
        quantize=quantize,
        chat_parity=parity,
        smoke_prompts=prompts,
        thought_words=chat.thought_words,
        evaluation=evaluation,
        keep=own.keep,
        rollback_to=own.rollback_to,
    )


def render_modelfile(settings: ModelSettings, *, chat: TrainedChat, gguf_file: str) -> str:
    """The Modelfile: weights, the template of the training, stop words, system, parameters.

    The tokenizer's own tokens have their names in it, until the step has read what they are.
    """
    template = chat.ollama
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


def _smoke_prompt(smoke: SmokePromptSettings) -> SmokePrompt:
    call = smoke.expect_tool_call
    return SmokePrompt(
        prompt=smoke.prompt,
        expect=smoke.expect or "",
        tools=smoke.described_tools,
        expect_tool_call=ToolCall(name=call.name, arguments=call.arguments) if call else None,
    )


def _identity_of(smoke: SmokePrompt) -> list[Any]:
    """Its part in the identity: what a question of texts alone always was."""
    with_tools = [smoke.tools, as_json(smoke.expect_tool_call)] if smoke.tools else []
    return [smoke.prompt, smoke.expect, *with_tools]


def _quoted(text: str) -> str:
    """The text as a Modelfile quotes it; Ollama takes what is between the quotes as it is."""
    return f'"""{text}"""' if '"' in text or "\n" in text else f'"{text}"'
