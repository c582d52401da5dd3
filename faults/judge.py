"""What a stack is held against once it has healed: nothing lost, nothing half-written, all said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from faults.client import ask, models
from faults.output_volume import run_in_output
from plan import paths
from plan.marker import read_artefact_marker
from tests.integration.stack import Stack

LOOK = Path(__file__).with_name("look.py")


@dataclass(frozen=True)
class Artefact:
    """One folder of the output volume."""

    step: str
    """By its marker; empty where that is none."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Bytes of its tensors, by file."""
    modified: float = 0.0


def artefacts(client: Any, stack: Stack, image: str) -> dict[str, Artefact]:
    """What lies in the output volume, by the folder's name."""
    command = ["python", "-c", LOOK.read_text(), str(paths.RUNS), paths.MARKER]
    said = run_in_output(client, stack, image, command, mode="ro")
    found = {}
    for name, seen in json.loads(said).items():
        marker = read_artefact_marker(seen["marker"].encode())
        found[name] = Artefact(marker.step if marker else "", seen["weights"], seen["modified"])
    return found


def judge(
    stack: Stack,
    served: str,
    *,
    whole: Mapping[str, Artefact],
    after: Mapping[str, Artefact],
) -> Iterator[str]:
    """What is wrong with a stack that should have healed; nothing where it has.

    `whole` are artefacts that were made undisturbed, in work of the same shape: one that has not
    the files and tensors of its step's is half-written, whatever its marker says.
    """
    update = stack.up()
    if update.returncode:
        yield f"a second up failed: {update.output[-1000:]}"
    elif left := {word: n for word, n in update.changes.items() if word != "same"}:
        yield f"a second up had something to do: {left}"
    yield from _serving(stack.outputs(), served)
    shapes = {each.step: each.weights for each in whole.values()}
    for name in whole.keys() - after.keys():
        yield f"{name} is lost"
    for name, artefact in after.items():
        if not artefact.step or name.endswith(paths.PARTIAL):
            yield f"{name} is half-written"
        elif artefact.weights != shapes[artefact.step]:
            yield f"{name} says that it is whole, and is not: {dict(artefact.weights)}"


def _serving(outputs: Mapping[str, Any], served: str) -> Iterator[str]:
    kept = {each["model"] for model in outputs["kept_models"].values() for each in model}
    url = outputs["ollama_url"]
    try:
        found = models(url)
        ask(url, served)
    except httpx.HTTPError as error:
        yield f"{served} does not answer: {error}"
        return
    yield from (f"model {name} is lost" for name in sorted(kept - found))
    yield from (f"model {name} was left over" for name in sorted(found - kept - {served}))
