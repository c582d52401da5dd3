"""Commands inside a running container, as `docker exec` runs them."""

import codecs
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from docker import APIClient

from runtime.docker.engine import PATIENCE_SECONDS, Engine
from runtime.failure import EngineError, EngineUnreachableError, StepError

TIMED_OUT = 124
"""How the `timeout` program says that it ended what it ran."""

LOST = (126, 143)
"""How the engine says that a command's connection was lost: it takes the command for one that could
not be started, or has ended it by SIGTERM."""

TAIL_SECONDS = 300
"""How long one `tail` listens before the next takes its place: none outlives its caller by more,
and none waits longer on a connection that is silently gone."""

OUTAGE_SECONDS = 600
RETRY_SECONDS = 2.0
GRACE_SECONDS = 30
"""For a command that ends by its own limit to say so."""

SETTLE_SECONDS = 5.0
HEADER_BYTES = 8
STANDARD_OUTPUT = 1


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command ended and what it wrote."""

    exit_code: int
    output: str
    errors: str


def added_lines(engine: Engine, container: str, path: str, *, with_last: bool) -> Iterator[bytes]:
    """Lines as they are added to a file of a running container, which need not be there yet.

    Ends with the container. A lost connection is made again, beginning with the last line; raises
    `EngineUnreachableError` when the engine stays away. One `tail` for all of it: every look
    through the archive calls takes the engine a process, time that the container's own work lacks.
    """
    answered = time.monotonic()
    while True:
        try:
            with engine.calls() as api:
                lines = "1" if with_last else "0"
                tail = ["timeout", str(TAIL_SECONDS), "tail", "-n", lines, "-F", path]
                created = api.exec_create(container, tail, stderr=False)["Id"]
                rest = b""
                for _, piece in _pieces(api, created, silence=TAIL_SECONDS + GRACE_SECONDS):
                    *lines_of_piece, rest = (rest + piece).split(b"\n")
                    yield from lines_of_piece
                code = _exit_code(api, created)
            answered = time.monotonic()
            if code is None:
                time.sleep(RETRY_SECONDS)
            elif code != TIMED_OUT:
                return
        except EngineError:
            return
        except EngineUnreachableError:
            if time.monotonic() - answered > OUTAGE_SECONDS:
                raise
            time.sleep(RETRY_SECONDS)
        with_last = True


def output_of(engine: Engine, container: str, command: Sequence[str]) -> bytes:
    """What a short command writes to its standard output."""
    with engine.calls() as api:
        created = api.exec_create(container, list(command), stderr=False)["Id"]
        return b"".join(piece for _, piece in _pieces(api, created, silence=PATIENCE_SECONDS))


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
    limit = max(1, int(seconds))
    try:
        with engine.calls() as api:
            created = api.exec_create(container, ["timeout", str(limit), *command])["Id"]
    except EngineError as error:
        raise StepError(
            f"container {container} does not run ({error.message}). "
            "Run `pulumi up --refresh`, which starts it again"
        ) from error
    texts = {True: "", False: ""}
    # A piece may end in the middle of a letter.
    decoders = {is_output: codecs.getincrementaldecoder("utf-8")("replace") for is_output in texts}
    with engine.calls() as api:
        for is_output, piece in _pieces(api, created, silence=limit + GRACE_SECONDS):
            words = decoders[is_output].decode(piece)
            texts[is_output] += words
            if on_words and words and not is_output:
                on_words(words)
        code = _exit_code(api, created)
    if code is None:
        raise EngineUnreachableError(
            f"the connection to the engine at {engine.address} broke off while {command[0]} was at "
            f"work in container {container}",
            "Run again",
        )
    return Execution(exit_code=code, output=texts[True], errors=texts[False])


def _pieces(api: APIClient, created: str, *, silence: float) -> Iterator[tuple[bool, bytes]]:
    """Start a command; what it writes, and whether to its standard output.

    Not by the SDK's call, which waits on a lost connection for ever, takes a broken piece for the
    end, and drops what comes together with the answer's head.
    """
    url = f"{api.base_url}/v{api.api_version}/exec/{created}/start"
    options = {"Detach": False, "Tty": False}
    with api.post(url, json=options, stream=True, timeout=silence) as response:
        response.raise_for_status()
        while header := response.raw.read(HEADER_BYTES):
            size = int.from_bytes(header[HEADER_BYTES // 2 :], "big")
            piece = response.raw.read(size)
            if len(header) < HEADER_BYTES or len(piece) < size:
                raise ConnectionResetError("the connection broke off")
            yield header[0] == STANDARD_OUTPUT, piece


def _exit_code(api: APIClient, created: str) -> int | None:
    """How a command ended that says no more; None when only its connection did."""
    until = time.monotonic() + SETTLE_SECONDS
    while (found := api.exec_inspect(created))["Running"]:
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    code = int(found["ExitCode"])
    # Without a process it is true that it could not be started.
    return None if code in LOST and found["Pid"] else code
