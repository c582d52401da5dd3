"""Commands inside a running container, as `docker exec` runs them."""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.runtime.engine import Engine
from components.runtime.failure import EngineError, StepError

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
