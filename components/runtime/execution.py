"""Commands inside a running container, as `docker exec` runs them."""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.runtime.engine import Engine
from components.runtime.failure import EngineError, StepError

STDOUT = 1
HEADER = 8
TIMED_OUT = 124
"""How the `timeout` program says that it ended what it ran."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command ended and what it wrote."""

    exit_code: int
    output: str
    errors: str


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
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": limited}
    try:
        created = engine.post(f"/containers/{container}/exec", body=body)
    except EngineError as error:
        raise StepError(
            f"container {container} does not run ({error.message}). "
            "Run `pulumi up --refresh`, which starts it again"
        ) from error
    texts = {True: "", False: ""}
    # A piece may end in the middle of a letter.
    decoders = {is_output: codecs.getincrementaldecoder("utf-8")("replace") for is_output in texts}
    start = {"Detach": False, "Tty": False}
    with engine.open("POST", f"/exec/{created['Id']}/start", body=start, patience=None) as stream:
        while len(header := stream.read(HEADER)) == HEADER:
            piece = stream.read(int.from_bytes(header[4:], "big"))
            is_output = header[0] == STDOUT
            words = decoders[is_output].decode(piece)
            texts[is_output] += words
            if on_words and not is_output:
                on_words(words)
    code = engine.get(f"/exec/{created['Id']}/json")["ExitCode"]
    return Execution(exit_code=int(code or 0), output=texts[True], errors=texts[False])
