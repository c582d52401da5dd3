"""Calls to the hub that are tried again while there is hope, and what is told of those that fail.

Lies beside `fetch_model.py`, inside the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - huggingface_hub is in the image only, and reads the environment as it loads

import errno
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeVar

T = TypeVar("T")

PAUSES = (1, 2, 5, 10, 20, 40, 60)
"""Seconds before one more try; the last one is for all that follow."""
LONGEST_RATE_PAUSE = 600.0


class FetchError(Exception):
    """The model cannot be fetched: why, and what to do."""


class Patience:
    """How long a hub is waited for: until nothing new has come for so many seconds."""

    def __init__(self, hub: str, model: str, *, setting: str, secret: str, seconds: float) -> None:
        """`setting` names the model, `secret` holds the hub's token, as errors are to tell."""
        self._hub, self._model, self._seconds = hub, model, seconds
        self._setting = setting
        self._hand_over = f"`pulumi config set --secret {secret}`"
        self._accept = (
            "accept the model's terms on its page, then hand over a token that may read it: "
            + self._hand_over
        )
        self._new_at = time.monotonic()

    def something_came(self) -> None:
        """The hub is alive: the time begins anew."""
        self._new_at = time.monotonic()

    def call(self, work: Callable[[], T]) -> T:
        """The result of some work, tried again while there is hope. Raises `FetchError`."""
        tries = 0
        self.something_came()
        while True:
            try:
                return work()
            except FetchError:
                raise
            except Exception as error:
                pause = self._pause(error, tries)
                if time.monotonic() - self._new_at + pause > self._seconds:
                    raise FetchError(self._gave_up(error)) from error
                say(f"{first_line(error)}; once more in {pause:g} s")
                time.sleep(pause)
                tries += 1

    def _pause(self, error: Exception, tries: int) -> float:
        """Seconds until another try is worth it. Raises `FetchError` where none is."""
        for cause in causes(error):
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
                raise FetchError(no_room(self._model, f"{cause.strerror}".lower())) from error
            self._demand_access(cause)
            if status_of(cause) == HTTPStatus.TOO_MANY_REQUESTS:
                return retry_after(cause)
        return float(PAUSES[min(tries, len(PAUSES) - 1)])

    def _demand_access(self, error: BaseException) -> None:
        from huggingface_hub import errors  # type: ignore[import-not-found]

        if isinstance(error, errors.GatedRepoError):
            raise FetchError(
                f"gated repo: {self._hub} refuses {self._model}: {self._accept}"
            ) from error
        if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
            raise FetchError(
                f"repository not found: {self._hub} does not know {self._model}, or it is private. "
                f"Correct {self._setting} and .revision; for a private model {self._hand_over}"
            ) from error
        status = status_of(error)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise FetchError(
                f"{status} client error: {self._hub} refuses {self._model}: {self._accept}"
            ) from error

    def _gave_up(self, error: Exception) -> str:
        if any(status_of(each) == HTTPStatus.TOO_MANY_REQUESTS for each in causes(error)):
            return (
                f"429 too many requests: {self._hub} lets nothing through for now. Run again "
                f"later, or with a token, whose limit is higher: {self._hand_over}"
            )
        return (
            f"couldn't connect to {self._hub}, or nothing new came for {self._seconds:g} s: "
            f"{first_line(error)}"
        )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def status_of(error: BaseException) -> int | None:
    """HTTP status of the answer that an error is about."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def retry_after(error: BaseException) -> float:
    """Seconds that the hub asks to be left alone; a minute where it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    told = str(headers.get("Retry-After", ""))
    return min(float(told), LONGEST_RATE_PAUSE) if told.isdigit() else 60.0


def no_room(repo: str, what: str) -> str:
    """A full disk, in words."""
    return (
        f"no space left on device for {repo}: {what}. Make room, or choose a larger place with "
        "volumes.hf_cache.host_path"
    )


def first_line(error: BaseException) -> str:
    """An error in one line."""
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text.strip()}"


def say(text: str) -> None:
    """One line for the operator."""
    print(text, file=sys.stderr, flush=True)
