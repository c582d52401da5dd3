"""Put a model into Ollama: made beside the old one, compared, asked, and only then served.

Deleting removes what an interruption left behind, and no served model: which names are served is
for `served_models` to say, which knows all of them.
"""

import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import PurePosixPath

from plan.evaluation import EvaluationSummary
from plan.marker import ServedModelMarker, read_served_marker
from plan.ollama_model import OllamaModelResult, OllamaModelStep
from plan.paths import OLLAMA_STORE, ollama_manifest
from plan.step import Request
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from runtime.failure import StepError
from runtime.program import Interrupted, say
from runtime.serving.creation import create_whole
from runtime.serving.kept import as_output, keep_served, prune_kept
from runtime.serving.layers import all_layers, fault_of, read_layers
from runtime.serving.ollama import Ollama
from runtime.serving.parity import Encoding, compare, read_encoding
from runtime.serving.smoke_prompts import ask_smoke_prompts
from runtime.serving.store import candidate_name, is_running

KIND = OllamaModelStep


def converge(request: Request[OllamaModelStep]) -> OllamaModelResult:
    """Serve the model; what it answered when it was asked."""
    return _Serving(request).converge()


def delete(request: Request[OllamaModelStep]) -> Mapping[str, Sequence[str]]:
    """Remove the candidates that an interruption left behind."""
    engine, step = Engine(request.engine), request.step
    if not is_running(engine, step.server):
        return {"removed": []}
    ollama = Ollama(engine, step.server, title=f"remove {step.name}", seconds=step.deadline_seconds)
    own = candidate_name(request.owner.stack, step.identity)
    left = [name for name in ollama.models() if name in (own, f"{own}-base")]
    ollama.remove(left)
    return {"removed": left}


class _Serving:
    """One model on its way to its name."""

    def __init__(self, request: Request[OllamaModelStep]) -> None:
        self._request, self._step = request, request.step
        self._engine = Engine(request.engine)
        self._title = f"serve {self._step.served_name}"
        self._ollama = Ollama(
            self._engine,
            self._step.server,
            title=self._title,
            seconds=self._step.deadline_seconds,
        )
        self._served = self._digest(self._step.manifest)
        """Of what has the name now; None when nothing has."""

    def converge(self) -> OllamaModelResult:
        """What serves, and what is kept beside it."""
        step, found = self._step, self._marker()
        if found is not None and found.manifest_digest == self._served and not self._is_cut:
            marker = self._evaluated_in_place(found)
            if found.superseded:
                # Something broke off after it had got the name under which it was to be kept.
                with contextlib.suppress(StepError):
                    self._ollama.remove([found.model])
        elif found is not None and self._is_kept(found):
            marker = self._taken_from_kept(found)
        elif step.rollback_to is not None:
            raise StepError(
                f"no model with identity {step.rollback_to} is kept for {step.served_name}. "
                "`pulumi stack output kept_models` shows which are; correct "
                "ollama_model.rollback_to or remove it"
            )
        else:
            marker = self._made()
        vouched = replace(
            marker,
            step=step.name,
            stack=self._request.owner.stack,
            token=self._request.token,
            model=step.served_name,
            manifest=str(step.manifest),
            superseded="",
            superseded_at=0.0,
        )
        path = str(step.marker)
        write_marker(self._engine, step.server, root=str(OLLAMA_STORE), path=path, marker=vouched)
        kept = prune_kept(self._engine, self._request.owner.stack, step, self._ollama)
        return OllamaModelResult(
            identity=vouched.identity,
            model=step.served_name,
            answers=vouched.answers,
            parity=vouched.parity,
            evaluation=vouched.evaluation,
            kept=tuple(as_output(each) for each in kept),
        )

    def _marker(self) -> ServedModelMarker | None:
        content = archive.read_file(self._engine, self._step.server, str(self._step.marker))
        return read_served_marker(content)

    def _digest(self, manifest: PurePosixPath | str) -> str | None:
        content = archive.read_file(self._engine, self._step.server, str(manifest))
        return None if content is None else hashlib.sha256(content).hexdigest()

    @cached_property
    def _is_cut(self) -> bool:
        """Whether what has the name lacks a part of a layer, or a whole one."""
        layers = read_layers(self._engine, self._step.server, self._step.manifest)
        if not layers:
            return False
        fault = fault_of(layers, all_layers(self._engine, self._step.server))
        if fault is not None:
            say(f"{self._title}: {fault}")
        return fault is not None

    def _is_kept(self, marker: ServedModelMarker) -> bool:
        """Whether a superseded model is there, and every byte of it as it was."""
        if self._served == marker.manifest_digest:
            return False
        if self._digest(marker.manifest) != marker.manifest_digest:
            return False
        layers = read_layers(self._engine, self._step.server, marker.manifest)
        damaged = self._ollama.damaged_layers(layers)
        for digest in damaged:
            say(f"{self._title}: {digest} of the kept model {marker.model} is damaged")
        return not damaged

    @property
    def _before(self) -> str:
        """What is served when this model does not come to be."""
        name = self._step.served_name
        if self._served is None:
            return f"Nothing is served as {name} yet."
        if self._is_cut:
            return f"What is served as {name} is damaged."
        return f"The {name} served before goes on answering."

    def _evaluated_in_place(self, marker: ServedModelMarker) -> ServedModelMarker:
        """Of a model that has its name: another evaluation is asked of it, and takes nothing down.

        What it must be better than is itself.
        """
        if self._step.rollback_to is not None:
            return marker
        evaluation = self._evaluation(self._step.served_name, marker, served=None)
        return replace(marker, evaluation=evaluation)

    def _taken_from_kept(self, marker: ServedModelMarker) -> ServedModelMarker:
        """A kept model has its name back: nothing is made, nothing that it passed asked again."""
        step, evaluation = self._step, marker.evaluation
        if step.rollback_to is None:
            evaluation = self._evaluation(marker.model, marker, served=self._served)
        self._take_name(marker.model, marker.manifest_digest)
        return replace(marker, evaluation=evaluation)

    def _made(self) -> ServedModelMarker:
        """A new model, proved and asked. Whatever goes wrong, nothing of it stays."""
        step, ollama = self._step, self._ollama
        began = time.monotonic()
        candidate = candidate_name(self._request.owner.stack, step.identity)
        say(f"{self._title}: creating it as {candidate}")
        ollama.wait_until_it_answers()
        encoding = self._encoding()
        try:
            modelfile = _written(step.modelfile, encoding)
            create_whole(self._engine, ollama, step, candidate, modelfile)
            parity: dict[str, str] = {}
            if step.chat_parity is not None and encoding is not None:
                parity = compare(ollama, candidate, step.chat_parity, encoding)
                self._judge(parity, is_required=step.chat_parity.is_required)
            answers = ask_smoke_prompts(ollama, step, candidate, before=self._before)
            digest = self._digest(ollama_manifest(candidate)) or ""
            # The same model under another identity: it need not be better than itself.
            served = None if digest == self._served or self._is_cut else self._served
            evaluation = self._evaluation(candidate, None, served=served)
            self._take_name(candidate, digest)
        except (StepError, Interrupted):
            with contextlib.suppress(StepError):
                ollama.remove([candidate])
            raise
        return ServedModelMarker(
            identity=step.identity,
            step=step.name,
            model=step.served_name,
            manifest=str(step.manifest),
            manifest_digest=self._digest(step.manifest) or "",
            answers=tuple(answers),
            parity=parity,
            evaluation=evaluation,
            seconds=round(time.monotonic() - began, 1),
        )

    def _encoding(self) -> Encoding | None:
        parity = self._step.chat_parity
        if parity is None:
            return None
        return read_encoding(self._engine, self._step.server, parity.encoding)

    def _take_name(self, model: str, digest: str) -> None:
        """Let a model take the name. What has it goes, unless it is kept or is the same."""
        step, served = self._step, self._served
        stays = (
            served is not None
            and served != digest
            and keep_served(
                self._engine, self._request.owner.stack, step, self._ollama, served=served
            )
        )
        self._ollama.replace(step.served_name, model, goes=served is not None and not stays)
        say(f"{self._title}: it takes the name {step.served_name}")

    def _evaluation(
        self, candidate: str, marker: ServedModelMarker | None, *, served: str | None
    ) -> EvaluationSummary | None:
        """What the candidate's evaluation came to; asked where its marker tells of another one.

        `served` is None where there is no other model to be better than.
        """
        evaluation = self._step.evaluation
        if evaluation is None:
            return None
        known = marker.evaluation if marker else None
        if known is not None and known.identity == evaluation.identity:
            return known
        # Libraries that compare texts are slow to load, and most runs compare none.
        from runtime.serving.evaluation import evaluate  # noqa: PLC0415

        base = evaluation.base
        return evaluate(
            self._engine,
            self._request.owner,
            self._step,
            evaluation,
            candidate=candidate,
            served=self._step.served_name if served else None,
            base_modelfile=_written(base.modelfile, self._encoding()) if base else None,
            before=self._before,
        )

    def _judge(self, differences: Mapping[str, str], *, is_required: bool) -> None:
        """Raises `StepError` where it is asked in other tokens than it was trained on."""
        found = {name: difference for name, difference in differences.items() if difference}
        equal, of = len(differences) - len(found), len(differences)
        say(f"{self._title}: {equal} of {of} conversations have the tokens of the training")
        told = "\n".join(f"  {name}: {difference}" for name, difference in found.items())
        if found and is_required:
            raise StepError(
                f"the new model for {self._step.served_name} is asked in other tokens than it was "
                f"trained on.\n{told}\n  {self._before} Set the base model's own `template`; or, "
                "where the two tokenizers merely part a text differently and the answers are "
                "good, set ollama_model.chat_parity to reported. Then run `pulumi up` again."
            )
        if found:
            say(f"{self._title}: these are not, as the settings allow:\n{told}")


def _written(modelfile: str, encoding: Encoding | None) -> str:
    """The Modelfile with the tokenizer's own tokens, which only training could tell."""
    for name, text in (encoding.written if encoding else {}).items():
        modelfile = modelfile.replace(name, text)
    return modelfile
