"""The ollama client inside its server's container: the same commands as by hand."""

import json
import secrets
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from plan.paths import OLLAMA_STORE, SERVER_REQUESTS, ollama_blob, ollama_manifest
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.docker.execution import TIMED_OUT, Execution, execute
from runtime.failure import StepError
from runtime.program import say
from runtime.progress.diagnosis import explain
from runtime.progress.progress import CommandWords, clean
from runtime.serving.layers import damaged_layers

PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.5

BETWEEN_ANSWERS = "\x1e"
POST = r"""
set -e
for body in "${@:2}"; do
    exec 3<>"/dev/tcp/127.0.0.1/${OLLAMA_HOST##*:}"
    printf 'POST %s HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n' \
        "$1" "$(stat -c %s "$body")" >&3
    cat "$body" >&3
    cat <&3
    printf '\x1e'
    # A line for each answer, so that the caller knows how many there are.
    echo >&2
    exec 3>&-
done
"""
"""Sends files to a path of the server's API. Its image has no program for that, but it has bash."""


class Ollama:
    """The client of one server, for one step with a deadline."""

    def __init__(self, engine: Engine, server: str, *, title: str, seconds: float) -> None:
        self._engine, self._server, self._title = engine, server, title
        self._ends = time.monotonic() + seconds
        self._seconds = seconds

    def wait_until_it_answers(self) -> None:
        """Return as soon as the server answers."""
        self.models()

    def models(self) -> list[str]:
        """The models in the store, as soon as the server answers."""
        waited_until = time.monotonic() + PATIENCE_SECONDS
        while (listed := self._execute(["ollama", "list"])).exit_code:
            if time.monotonic() > waited_until:
                raise StepError(
                    f"the Ollama server {self._server} has not answered for "
                    f"{PATIENCE_SECONDS:.0f} s: {clean(listed.errors).strip()}\n"
                    f"  Look at docker logs {self._server}; docker restart {self._server} "
                    "may help"
                )
            time.sleep(RETRY_SECONDS)
        return [line.split()[0] for line in listed.output.splitlines()[1:] if line.strip()]

    def create(self, model: str, modelfile: str, quantize: str | None) -> None:
        """Make a model from its Modelfile, telling how it goes."""
        self._put({_modelfile(model).name: modelfile.encode()})
        how = ["--quantize", quantize] if quantize else []
        words = CommandWords()

        def tell(text: str) -> None:
            for line in words.hear(text, time.monotonic()):
                say(f"{self._title}: {line}")

        command = ["ollama", "create", model, "-f", str(_modelfile(model)), *how]
        made = execute(self._engine, self._server, command, seconds=self._left(), on_words=tell)
        self._demand(made, command)
        self.remove_folders([str(_modelfile(model))])

    def post(
        self,
        path: str,
        bodies: Sequence[Mapping[str, Any]],
        *,
        on_answers: Callable[[int], None] | None = None,
    ) -> list[Mapping[str, Any]]:
        """What the server's API answers to each of these, in order.

        `on_answers` hears how many more there are, as they come.
        """
        # Several models may be made at a time.
        requests = f"requests-{secrets.token_hex(8)}"
        folder = str(SERVER_REQUESTS / requests)
        names = [f"{index:03}.json" for index in range(len(bodies))]
        files = {
            f"{requests}/{name}": json.dumps(body, ensure_ascii=False).encode()
            for name, body in zip(names, bodies, strict=True)
        }
        self._put(files)
        command = ["bash", "-c", POST, "post", path, *(f"{folder}/{name}" for name in names)]
        answered = execute(
            self._engine,
            self._server,
            command,
            seconds=self._left(),
            on_words=lambda words: on_answers(words.count("\n")) if on_answers else None,
        )
        self._demand(answered, ["POST", path])
        self.remove_folders([folder])
        *answers, _rest = answered.output.split(BETWEEN_ANSWERS)
        return [_json_of(answer) for answer in answers]

    def copy(self, model: str, name: str) -> None:
        """Give a model another name beside its own; no byte of it is copied."""
        command = ["ollama", "cp", model, name]
        self._demand(self._execute(command), command)

    def replace(self, served: str, candidate: str, *, goes: bool) -> None:
        """Let a model take the served name, in place of the name that it has.

        There is a model of that name at every moment: its manifest is renamed into place. `ollama
        cp` empties the file that is there before it writes it, and a request that came meanwhile
        failed. With `goes` there is a model that has no other name: it goes, with the layers that
        it alone has.
        """
        replaced = f"{candidate}-replaced" if goes else None
        taking, manifest = f"{candidate}-taking", ollama_manifest(served)
        steps = [
            # What is only put in its place leaves its layers behind.
            *([["ollama", "cp", served, replaced]] if replaced else []),
            ["ollama", "cp", candidate, taking],
            ["mkdir", "-p", str(manifest.parent)],
            ["mv", "-T", str(ollama_manifest(taking)), str(manifest)],
            ["ollama", "rm", candidate, *([replaced] if replaced else [])],
        ]
        script = " && ".join(shlex.join(step) for step in steps)
        self._demand(self._execute(["sh", "-c", script]), ["ollama", "cp", candidate, served])

    def remove(self, models: Sequence[str]) -> None:
        """Remove models from the store."""
        if models:
            command = ["ollama", "rm", *models]
            self._demand(self._execute(command), command)

    def folders(self, folder: str) -> list[str]:
        """Names in a folder of the store that is not Ollama's own; none where it is not there."""
        listed = self._execute(["ls", "-1", "--", folder])
        return [] if listed.exit_code else listed.output.split()

    def damaged_layers(self, digests: Collection[str]) -> list[str]:
        """Those that are not what their names say. Reads every byte of them."""
        return damaged_layers(self._engine, self._server, digests, seconds=self._left())

    def remove_layers(self, digests: Iterable[str]) -> None:
        """Remove damaged layers: `create` takes one that is there for what its name says."""
        self.remove_folders([str(ollama_blob(digest)) for digest in digests])

    def remove_folders(self, folders: Sequence[str]) -> None:
        """Remove folders, or files, of the store."""
        if folders:
            command = ["rm", "-rf", "--", *folders]
            self._demand(self._execute(command), command)

    def _put(self, files: Mapping[str, bytes]) -> None:
        root, folder = str(OLLAMA_STORE), SERVER_REQUESTS.name
        content = {f"{folder}/{name}": text for name, text in files.items()}
        archive.put_files(self._engine, self._server, root, content, folder=folder)

    def _execute(self, command: Sequence[str]) -> Execution:
        return execute(self._engine, self._server, command, seconds=self._left())

    def _left(self) -> float:
        return self._ends - time.monotonic()

    def _demand(self, execution: Execution, command: Sequence[str]) -> None:
        if execution.exit_code == 0:
            return
        words = shlex.join(command)
        if execution.exit_code == TIMED_OUT and self._left() < 1:
            raise StepError(
                f"`{words}` in container {self._server} had not ended after the deadline of "
                f"{self._seconds:.0f} s and was stopped. Free the host, then run again"
            )
        said = clean(execution.errors or execution.output).strip()
        shown = "\n" + "\n".join(f"    | {line}" for line in said.splitlines()[-5:])
        known = explain(said, failed="ollama-model")
        raise StepError(
            f"`{words}` in container {self._server} failed with exit code "
            f"{execution.exit_code}:{f' {known}' if known else shown}\n"
            f"  The server's log: docker logs {self._server}"
        )


def _json_of(response: str) -> Mapping[str, Any]:
    """The object in an answer of the API."""
    head, _, body = response.partition("\r\n\r\n")
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StepError(f"the Ollama server answered what is no JSON object: {head}\n{body}")
    return found


def _modelfile(model: str) -> PurePosixPath:
    """Where the Modelfile of a model lies in the server's container."""
    return SERVER_REQUESTS / f"{model.replace('/', '-').replace(':', '-')}.Modelfile"
