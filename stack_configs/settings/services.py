"""Settings of what keeps running: Ollama server, Board, API, TensorBoard, metrics."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from stack_configs.settings.rule import SECRET_KEY, rule_error
from stack_configs.settings.strict_model import BindAddress, Name, Port, StrictModel

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

OWNED_VARIABLES = frozenset({"OLLAMA_HOST", "OLLAMA_MODELS"})
"""Where the server listens and stores: ports, probes and volumes are planned for it."""


def _as_text(value: Any) -> Any:
    """`OLLAMA_NUM_PARALLEL: 4` as a process gets it; what is no scalar is pydantic's to refuse."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


VariableValue = Annotated[
    str, BeforeValidator(_as_text, json_schema_input_type=str | int | float | bool)
]


class OllamaServerSettings(StrictModel):
    """The Ollama server and where it listens on the host."""

    port: Annotated[Port, Field(description="Port of Ollama's API on the host.")] = 11434
    bind_address: BindAddress = "127.0.0.1"
    environment: Annotated[
        dict[str, VariableValue],
        Field(description="OLLAMA_* variables, such as OLLAMA_KEEP_ALIVE."),
    ] = {}

    @field_validator("environment")
    @classmethod
    def _variables_that_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        if owned := sorted(OWNED_VARIABLES & value.keys()):
            raise rule_error(
                f"it holds {', '.join(owned)}, which the stack sets itself",
                "leave it out; the port on the host is ollama_server.port",
            )
        if wrong := [key for key in value if not VARIABLE.fullmatch(key)]:
            raise rule_error(
                f"{', '.join(map(repr, wrong))} is no name of a variable",
                "write names such as OLLAMA_KEEP_ALIVE: letters, digits and _",
            )
        if secrets := sorted(key for key in value if SECRET_KEY.search(key)):
            raise rule_error(
                f"{', '.join(secrets)} looks like a secret, which never belongs in this file",
                "leave it out",
            )
        return value


class BoardSettings(StrictModel):
    """LLaMA Board, the web UI with its Train and Chat tabs."""

    enabled: Annotated[bool, Field(description="Whether the Board runs.")] = True
    port: Annotated[Port, Field(description="Port of the web page on the host.")] = 7860
    bind_address: BindAddress = "127.0.0.1"
    share: Annotated[bool, Field(description="GRADIO_SHARE: a public link through Gradio.")] = False


class ApiSettings(StrictModel):
    """`llamafactory-cli api`: a model before its merge, behind an OpenAI-style API (E1).

    It holds the weights in memory, on the GPU where there is one, for as long as it runs.
    """

    enabled: Annotated[bool, Field(description="Whether the API runs.")] = False
    port: Annotated[Port, Field(description="Port of the API on the host.")] = 8000
    bind_address: BindAddress = "127.0.0.1"
    model: Annotated[
        Name | None, Field(description="Name of the model to serve. Unset: the only one.")
    ] = None


class TensorBoardSettings(StrictModel):
    """TensorBoard on what runs with `report_to: [tensorboard]` have written (T9)."""

    enabled: Annotated[bool, Field(description="Whether TensorBoard runs.")] = False
    port: Annotated[Port, Field(description="Port of the web page on the host.")] = 6006
    bind_address: BindAddress = "127.0.0.1"


class MetricsSettings(StrictModel):
    """What tells Prometheus how the stack is: steps, trainings, GPUs, disk, Ollama (O7)."""

    enabled: Annotated[bool, Field(description="Whether the exporter runs.")] = False
    port: Annotated[Port, Field(description="Port of `/metrics` on the host.")] = 9464
    bind_address: BindAddress = "127.0.0.1"


OptionalServiceSettings = BoardSettings | ApiSettings | TensorBoardSettings | MetricsSettings
ServiceSettings = OllamaServerSettings | OptionalServiceSettings
