"""Put a model into Ollama: made beside the old one, asked, and only then served.

`ollama_model.py converge` does so unless the model is served already; `ollama_model.py delete`
removes it, if the stack put it there. The spec comes on stdin.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from components.runtime import archive, containers
from components.runtime.engine import Engine, in_parallel
from components.runtime.failure import MissingError, StepError
from components.runtime.marker import write_marker
from components.runtime.ollama import Ollama
from components.runtime.program import Spec, part, run_program, say

DEADLINE_SECONDS = 3600.0
TRIALS = ("candidate-", "replaced-")
"""Tags that a step gives for the time of its work."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model, its server, and where the store tells about it."""

    fingerprint: str
    server: str
    served_name: str
    marker: str
    manifest: str

    @property
    def family(self) -> str:
        """The name without its tag."""
        return self.served_name.partition(":")[0]

    @property
    def store(self) -> str:
        """Ollama's folder; markers lie at STORE/finetune-stack/FINGERPRINT/."""
        return str(PurePosixPath(self.marker).parents[2])

    @property
    def markers(self) -> str:
        """The folder of all markers."""
        return str(PurePosixPath(self.marker).parents[1])

    def trials(self, models: Sequence[str]) -> list[str]:
        """Those of the models that an interrupted step of this one left behind."""
        return [name for name in models if name.startswith(tuple(self._trial(t) for t in TRIALS))]

    def trial(self, kind: str) -> str:
        """A name for the time of the work."""
        return f"{self._trial(kind)}{self.fingerprint}"

    def _trial(self, kind: str) -> str:
        return f"{self.family}:{kind}"


def converge(spec: Spec) -> Mapping[str, Any]:
    """Serve the model; what it answered when it was asked."""
    engine, model = Engine(spec.get("engine")), _read_model(spec)
    served = _digest(engine, model)
    known = archive.read_json(engine, model.server, model.marker)
    if known and served and known.get("manifest_digest") == served:
        answers, new = known["answers"], {}
    else:
        answers = _replace(engine, model, spec, is_served=served is not None)
        new = {
            "manifest_digest": _digest(engine, model),
            "answers": answers,
            "model": model.served_name,
        }
    write_marker(
        engine,
        model.server,
        root=model.store,
        marker=model.marker,
        content={"fingerprint": model.fingerprint, "token": part(spec, "token"), **new},
    )
    return {"fingerprint": model.fingerprint, "model": model.served_name, "answers": answers}


def delete(spec: Spec) -> Mapping[str, Any]:
    """Remove the model where it is the stack's, and what an interruption left behind."""
    engine, model = Engine(spec.get("engine")), _read_model(spec)
    try:
        is_running = containers.inspect(engine, model.server)["State"]["Running"]
    except MissingError:
        is_running = False
    if not is_running:
        say(f"{model.served_name}: its server is gone, and the model with it")
        return {"removed": []}
    markers = _markers(engine, model)
    ollama = Ollama(
        engine, model.server, title=f"remove {model.served_name}", seconds=DEADLINE_SECONDS
    )
    models = ollama.models()
    doomed = model.trials(models)
    # A model that somebody else put under this name is not the stack's to remove.
    if _digest(engine, model) in markers.values():
        doomed.append(model.served_name)
    ollama.remove(doomed)
    ollama.remove_folders(list(markers))
    return {"removed": doomed}


def satisfies(answer: str, expected: str) -> bool:
    """Whether an answer contains what is expected, however its lines are broken."""
    return " ".join(expected.split()) in " ".join(answer.split())


def _read_model(spec: Spec) -> ServedModel:
    return ServedModel(
        fingerprint=part(spec, "fingerprint"),
        server=part(spec, "server"),
        served_name=part(spec, "served_name"),
        marker=part(spec, "marker"),
        manifest=part(spec, "manifest"),
    )


def _digest(engine: Engine, model: ServedModel) -> str | None:
    """What is served under the name now; None when nothing is."""
    manifest = archive.read_file(engine, model.server, model.manifest)
    return None if manifest is None else hashlib.sha256(manifest).hexdigest()


def _markers(engine: Engine, model: ServedModel) -> dict[str, str]:
    """The folder of every marker of this model, now and before, and the digest in it."""
    found = {}
    for name, content in (archive.read_files(engine, model.server, model.markers) or {}).items():
        try:
            said = json.loads(content)
        except ValueError:
            continue
        if said.get("model") == model.served_name:
            folder = PurePosixPath(model.markers).parent / PurePosixPath(name).parent
            found[str(folder)] = str(said.get("manifest_digest"))
    return found


def _replace(
    engine: Engine, model: ServedModel, spec: Spec, *, is_served: bool
) -> list[dict[str, str]]:
    title = f"serve {model.served_name}"
    seconds = float(spec.get("deadline_seconds") or DEADLINE_SECONDS)
    ollama = Ollama(engine, model.server, title=title, seconds=seconds)
    candidate = model.trial("candidate-")
    say(f"{title}: creating it as {candidate}")
    models, _ = in_parallel(
        [ollama.models, lambda: ollama.put_modelfile(candidate, part(spec, "modelfile"))]
    )
    ollama.remove(model.trials(models or ()))
    ollama.create(candidate, spec.get("quantize"))
    answers = []
    for smoke in spec.get("smoke_prompts") or ():
        prompt, expected = part(smoke, "prompt"), part(smoke, "expect")
        answer = ollama.ask(candidate, prompt)
        if not satisfies(answer, expected):
            ollama.remove([candidate])
            raise StepError(_unexpected(model, prompt, expected, answer, is_served=is_served))
        say(f"{title}: {prompt!r} is answered as expected")
        answers.append({"prompt": prompt, "answer": answer})
    ollama.replace(model.served_name, candidate, model.trial("replaced-") if is_served else None)
    say(f"{title}: it takes the name {model.served_name}")
    return answers


def _unexpected(
    model: ServedModel, prompt: str, expected: str, answer: str, *, is_served: bool
) -> str:
    before = (
        f"The {model.served_name} served before goes on answering."
        if is_served
        else f"Nothing is served as {model.served_name} yet."
    )
    return (
        f"the new model for {model.served_name} does not answer as the settings expect.\n"
        f"  asked:    {prompt}\n  expected: {expected}\n  answered: {answer}\n  {before} "
        "Train longer, or correct ollama_model.smoke_prompts, then run `pulumi up` again."
    )


if __name__ == "__main__":
    sys.exit(run_program({"converge": converge, "delete": delete}, sys.argv[1:]))
