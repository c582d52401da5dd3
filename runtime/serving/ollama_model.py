"""Put a model into Ollama: made beside the old one, asked, and only then served.

`ollama_model.py converge` does so unless the model is served already; `ollama_model.py delete`
removes it, if the stack put it there. The spec comes on stdin.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import MissingError, StepError
from runtime.steps.marker import write_marker
from runtime.serving.ollama import Ollama
from runtime.program import Spec, part, run_program, say
from runtime.serving.served_model import (
    ServedModel,
    digest,
    markers_of,
    read_model,
    still_ours,
)

DEADLINE_SECONDS = 3600.0


def converge(spec: Spec) -> Mapping[str, Any]:
    """Serve the model; what it answered when it was asked."""
    engine, model = Engine(spec.get("engine")), read_model(spec)
    served = digest(engine, model)
    known = archive.read_json(engine, model.server, model.marker)
    if known and served and known.get("manifest_digest") == served:
        answers, new = known["answers"], {}
    else:
        answers = _replace(engine, model, spec, is_served=served is not None)
        new = {
            "manifest_digest": digest(engine, model),
            "answers": answers,
            "step": model.step,
            "model": model.served_name,
            "manifest": model.manifest,
        }
        _drop_former_names(engine, model)
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
    engine, model = Engine(spec.get("engine")), read_model(spec)
    try:
        is_running = containers.inspect(engine, model.server)["State"]["Running"]
    except MissingError:
        is_running = False
    if not is_running:
        say(f"{model.served_name}: its server is gone, and the model with it")
        return {"removed": []}
    markers = markers_of(engine, model)
    ollama = Ollama(
        engine, model.server, title=f"remove {model.served_name}", seconds=DEADLINE_SECONDS
    )
    doomed = [*model.trials(ollama.models()), *still_ours(engine, model, markers)]
    ollama.remove(doomed)
    ollama.remove_folders([marker.folder for marker in markers])
    return {"removed": doomed}


def satisfies(answer: str, expected: str) -> bool:
    """Whether an answer contains what is expected, however its lines are broken."""
    return " ".join(expected.split()) in " ".join(answer.split())


def _drop_former_names(engine: Engine, model: ServedModel) -> None:
    """Names that the settings gave the model before go, now that it answers under another."""
    former = [
        marker for marker in markers_of(engine, model) if marker.served_name != model.served_name
    ]
    if not former:
        return
    title = f"serve {model.served_name}"
    ollama = Ollama(engine, model.server, title=title, seconds=DEADLINE_SECONDS)
    if names := still_ours(engine, model, former):
        say(f"{title}: removing its former name {', '.join(names)}")
        ollama.remove(names)
    ollama.remove_folders([marker.folder for marker in former])


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
