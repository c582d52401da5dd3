"""Put a model into Ollama: made beside the old one, compared, asked, and only then served.

Deleting removes what an interruption left behind, and no served model: which names are served is
for `served_models` to say, which knows all of them.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from plan.marker import ServedModelMarker, read_served_marker
from plan.paths import OLLAMA_STORE
from plan.step import OllamaModelResult, OllamaModelStep, Request
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from runtime.failure import StepError
from runtime.program import Interrupted, say
from runtime.serving.ollama import Ollama
from runtime.serving.parity import compare, read_encoding
from runtime.serving.store import candidate_name, is_running

KIND = OllamaModelStep


def converge(request: Request[OllamaModelStep]) -> OllamaModelResult:
    """Serve the model; what it answered when it was asked."""
    engine, step = Engine(request.engine), request.step
    served = _digest(engine, step)
    marker = read_served_marker(archive.read_file(engine, step.server, str(step.marker)))
    if marker is None or served is None or marker.manifest_digest != served:
        parity, answers = _replace(engine, request, is_served=served is not None)
        marker = ServedModelMarker(
            identity=step.identity,
            step=step.name,
            model=step.served_name,
            manifest=str(step.manifest),
            manifest_digest=_digest(engine, step) or "",
            answers=tuple(answers),
            parity=parity,
        )
    vouched = replace(marker, step=step.name, stack=request.owner.stack, token=request.token)
    write_marker(engine, step.server, root=str(OLLAMA_STORE), path=str(step.marker), marker=vouched)
    return OllamaModelResult(
        identity=step.identity,
        model=step.served_name,
        answers=vouched.answers,
        parity=vouched.parity,
    )


def delete(request: Request[OllamaModelStep]) -> Mapping[str, Sequence[str]]:
    """Remove the candidate that an interruption left behind."""
    engine, step = Engine(request.engine), request.step
    if not is_running(engine, step.server):
        return {"removed": []}
    ollama = Ollama(engine, step.server, title=f"remove {step.name}", seconds=step.deadline_seconds)
    left = [
        name
        for name in ollama.models()
        if name == candidate_name(request.owner.stack, step.identity)
    ]
    ollama.remove(left)
    return {"removed": left}


def satisfies(answer: str, expected: str) -> bool:
    """Whether an answer contains what is expected, however its lines are broken."""
    return " ".join(expected.split()) in " ".join(answer.split())


def _digest(engine: Engine, step: OllamaModelStep) -> str | None:
    """What is served under the name now; None when nothing is."""
    content = archive.read_file(engine, step.server, str(step.manifest))
    return None if content is None else hashlib.sha256(content).hexdigest()


def _replace(
    engine: Engine, request: Request[OllamaModelStep], *, is_served: bool
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """How the new model differs from its training, and what it answered."""
    step = request.step
    title = f"serve {step.served_name}"
    ollama = Ollama(engine, step.server, title=title, seconds=step.deadline_seconds)
    candidate = candidate_name(request.owner.stack, step.identity)
    parity, modelfile, encoding = step.chat_parity, step.modelfile, None
    say(f"{title}: creating it as {candidate}")
    ollama.wait_until_it_answers()
    if parity is not None:
        encoding = read_encoding(engine, step.server, parity.encoding)
        for name, text in encoding.written.items():
            modelfile = modelfile.replace(name, text)
    ollama.put_modelfile(candidate, modelfile)
    try:
        ollama.create(candidate, step.quantize)
        differences: dict[str, str] = {}
        if parity is not None and encoding is not None:
            differences = compare(ollama, candidate, parity, encoding)
            _judge(step, differences, is_required=parity.is_required, is_served=is_served)
        answers = _ask(ollama, step, candidate, is_served=is_served)
        ollama.replace(step.served_name, candidate, is_served=is_served)
    except (StepError, Interrupted):
        # Whatever went wrong: nothing of it stays, and what was served goes on answering.
        with contextlib.suppress(StepError):
            ollama.remove([candidate])
        raise
    say(f"{title}: it takes the name {step.served_name}")
    return differences, answers


def _judge(
    step: OllamaModelStep,
    differences: Mapping[str, str],
    *,
    is_required: bool,
    is_served: bool,
) -> None:
    """Raises `StepError` where the model is asked in other tokens than it was trained on."""
    title = f"serve {step.served_name}"
    found = {name: difference for name, difference in differences.items() if difference}
    equal = len(differences) - len(found)
    say(f"{title}: {equal} of {len(differences)} conversations have the tokens of the training")
    told = "\n".join(f"  {name}: {difference}" for name, difference in found.items())
    if found and is_required:
        raise StepError(
            f"the new model for {step.served_name} is asked in other tokens than it was trained "
            f"on.\n{told}\n  {_before(step, is_served=is_served)} Set the base model's own "
            "`template`; or, where the two tokenizers merely part a text differently and the "
            "answers are good, set ollama_model.chat_parity to reported. Then run `pulumi up` "
            "again."
        )
    if found:
        say(f"{title}: these are not, as the settings allow:\n{told}")


def _before(step: OllamaModelStep, *, is_served: bool) -> str:
    return (
        f"The {step.served_name} served before goes on answering."
        if is_served
        else f"Nothing is served as {step.served_name} yet."
    )


def _ask(
    ollama: Ollama, step: OllamaModelStep, candidate: str, *, is_served: bool
) -> list[dict[str, str]]:
    answers = []
    for smoke in step.smoke_prompts:
        answer = ollama.ask(candidate, smoke.prompt)
        if not satisfies(answer, smoke.expect):
            raise StepError(
                f"the new model for {step.served_name} does not answer as the settings expect.\n"
                f"  asked:    {smoke.prompt}\n  expected: {smoke.expect}\n  answered: {answer}\n"
                f"  {_before(step, is_served=is_served)} Train longer, or correct "
                "ollama_model.smoke_prompts, then run `pulumi up` again."
            )
        say(f"serve {step.served_name}: {smoke.prompt!r} is answered as expected")
        answers.append({"prompt": smoke.prompt, "answer": answer})
    return answers
