"""Commands inside a running container, as `docker exec` runs them."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from runtime.docker.engine import Engine
from runtime.failure import EngineError, StepError

TIMED_OUT = 124
"""How the `timeout` program says that it ended what it ran."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command ended and what it wrote."""

    exit_code: int
    output: str
    errors: str


def added_lines(engine: Engine, container: str, path: str, *, with_last: bool) -> Iterator[bytes]:
    """Lines as they are added to a file of a running container, which need not be there yet.

    Ends with the container. One `tail` for all of it: every look through the archive calls takes
    the engine a process, time that the container's own work then lacks.
    """
    command = ["tail", "-n", "1" if with_last else "0", "-F", path]
    with engine.calls() as api:
        started = api.exec_create(container, command, stderr=False)
        rest = b""
        for piece in api.exec_start(started["Id"], stream=True):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines


def execute(
    engine: Engine,
    container: str,
    command: Sequence[str],
    *,
    seconds: float,
    on_words: Callable[[str], None] | None = None,
) -> Execution:
    """Run a command and wait for its end. `on_words` hears its standard error as it comes.

    The time limit holds inside the container: nothing is left running there when it is over.
    """
    limited = ["timeout", str(max(1, int(seconds))), *command]
    try:
        with engine.calls() as api:
            created = api.exec_create(container, limited)["Id"]
    except EngineError as error:
        raise StepError(
            f"container {container} does not run ({error.message}). "
            "Run `pulumi up --refresh`, which starts it again"
        ) from error
    texts = {True: "", False: ""}
    # A piece may end in the middle of a letter.
    decoders = {is_output: codecs.getincrementaldecoder("utf-8")("replace") for is_output in texts}
    with engine.calls() as api:
        for pieces in api.exec_start(created, stream=True, demux=True):
            for is_output, piece in zip((True, False), pieces, strict=True):
                words = decoders[is_output].decode(piece or b"")
                texts[is_output] += words
                if on_words and words and not is_output:
                    on_words(words)
        code = api.exec_inspect(created)["ExitCode"]
    return Execution(exit_code=int(code or 0), output=texts[True], errors=texts[False])
