"""A client of the served model that asks all the while."""

import threading
from types import TracebackType
from typing import Self

import httpx

PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 60


class Client:
    """Asks from its entry to its exit; counts what was answered and keeps what was not."""

    def __init__(self, url: str, model: str) -> None:
        self._url, self._model = url, model
        self.answered, self.failures = 0, list[str]()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._end.is_set():
            try:
                ask(self._url, self._model)
                self.answered += 1
            except httpx.HTTPError as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            self._end.wait(PAUSE_SECONDS)


def ask(url: str, model: str) -> None:
    """Have a model answer. Raises `httpx.HTTPError` where it does not."""
    question = {
        "model": model,
        "prompt": "What does pulumi preview do?",
        "stream": False,
        "options": {"num_predict": 4},
    }
    reply = httpx.post(f"{url}/api/generate", json=question, timeout=PATIENCE_SECONDS)
    reply.raise_for_status()


def models(url: str) -> set[str]:
    """Everything in the server's store, candidates too."""
    listed = httpx.get(f"{url}/api/tags", timeout=PATIENCE_SECONDS)
    listed.raise_for_status()
    return {model["name"] for model in listed.json()["models"]}
