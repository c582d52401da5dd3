"""Ollama's requests, by its access log, which the engine sends here line by line as syslog."""

import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator

from families import Sample

LARGEST = 65536
"""Bytes of a datagram."""
LINE = re.compile(
    r"\[GIN\] \S+ - \S+ \|\s*(?P<status>\d{3}) \|\s*(?P<took>\S+) \|[^|]*\|"
    r"\s*(?P<method>[A-Z]+)\s+\"(?P<path>[^\"?]*)"
)
"""As Ollama's web framework writes a request that was answered."""
PATHS = (
    "/",
    *("/api/blobs", "/api/chat", "/api/copy", "/api/create", "/api/delete", "/api/embed"),
    *("/api/embeddings", "/api/generate", "/api/ps", "/api/pull", "/api/push", "/api/show"),
    *("/api/tags", "/api/version"),
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages", "/v1/models"),
    "/v1/responses",
)
OTHER = "other"
"""What somebody has made up: a series for each would be without end."""
UNITS = {"ns": 1e-9, "\u00b5s": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"([\d.]+)([a-z\u00b5]+)")


class AccessLog:
    """Counts requests by method, path and status."""

    def __init__(self) -> None:
        self._count: dict[tuple[str, ...], int] = defaultdict(int)
        self._seconds: dict[tuple[str, ...], float] = defaultdict(float)
        self._lock = threading.Lock()

    def listen(self, port: int) -> None:
        """Hear what comes by UDP, until the program ends."""
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard.bind(("0.0.0.0", port))  # noqa: S104 - inside the container
        threading.Thread(target=self._listen, args=(heard,), daemon=True).start()

    def hear(self, line: str) -> None:
        """One line; what is no answered request changes nothing."""
        found = LINE.search(line)
        if found is None:
            return
        labels = (found["method"], known_path(found["path"]), found["status"])
        with self._lock:
            self._count[labels] += 1
            self._seconds[labels] += seconds(found["took"])

    def samples(self) -> Iterator[Sample]:
        """The counts so far."""
        with self._lock:
            counts, took = dict(self._count), dict(self._seconds)
        for labels, count in counts.items():
            yield Sample(name="finetune_ollama_requests", value=float(count), labels=labels)
            name = "finetune_ollama_request_seconds"
            yield Sample(name=name, value=float(took[labels]), labels=labels)

    def _listen(self, heard: socket.socket) -> None:
        while True:
            self.hear(heard.recv(LARGEST).decode("utf-8", "replace"))


def known_path(path: str) -> str:
    """The route that a path belongs to."""
    if path in PATHS:
        return path
    # A layer's digest, or a model's name, stands at the end.
    return next((each for each in PATHS[1:] if path.startswith(f"{each}/")), OTHER)


def seconds(text: str) -> float:
    """A duration as Go writes it: `142.272µs`, `1m3s`."""
    return sum(float(figure) * UNITS.get(unit, 0.0) for figure, unit in PART.findall(text))
