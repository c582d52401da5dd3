"""`make chat`: Ollama's own chat with a served model, wherever its engine is."""

from __future__ import annotations

from collections.abc import Mapping

from planning.names import physical_names
from toolchain.container_session import run_in_container
from toolchain.engine_choice import EngineChoice
from toolchain.errors import ToolchainError
from toolchain.places import APPLICATION, Places
from toolchain.stack import exists, outputs


def chat(
    places: Places,
    choice: EngineChoice,
    stack: str,
    model: str | None,
    environment: Mapping[str, str],
) -> int:
    """Talk to a model of the stack until the operator ends it; Ollama's exit status."""
    if not exists(places, stack, environment):
        msg = f"the stack {stack} is not there: `make up STACK={stack}` makes it"
        raise ToolchainError(msg)
    served = choose(outputs(places, stack, environment).get("models") or {}, model)
    server = physical_names(f"{APPLICATION}-{stack}").ollama_server
    return run_in_container(choice.host, server, ["ollama", "run", served])


def choose(models: Mapping[str, str], wanted: str | None) -> str:
    """Return the served name of the model that is meant, by its name or as Ollama has it."""
    if wanted is None and len(models) == 1:
        return next(iter(models.values()))
    for name, served in models.items():
        if wanted in (name, served, served.removesuffix(":latest")):
            return served
    there = ", ".join(models) or "none yet"
    asked = "choose one with MODEL=" if wanted is None else f"it has no model {wanted}"
    msg = f"the stack serves: {there}; {asked}"
    raise ToolchainError(msg)
