"""A server that speaks the model hub's protocol, and fails as hubs and networks do."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from plan.host import HubName

TOKEN = "hf_of_the_tests"
LARGE = (".safetensors", ".bin", ".pth", ".gguf")
"""Files that a repository keeps in LFS: the hub tells their SHA-256."""


def commit_of(files: Mapping[str, bytes]) -> str:
    """An id as git gives one: of the content."""
    said = "".join(
        f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in files.items()
    )
    return hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest()


def git_id(content: bytes) -> str:
    """The id of a file's content in git."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Repository:
    """One model: its branches, and the files of each commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: bool = False

    def push(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """A new commit with these files alone; its id."""
        commit = commit_of(files)
        self.commits[commit] = dict(files)
        self.branches[branch] = commit
        return commit


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class HubServer:
    """What it serves, how it fails, and what was asked of it."""

    kind: ClassVar[HubName] = "huggingface"
    branch: ClassVar[str] = "main"
    """The one that every model has."""
    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    """By file: how many more answers end half-way."""
    refusals: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    """By path of a file or of an API call: statuses and headers to answer with first."""
    pauses: dict[str, float] = field(default_factory=dict)
    """By file: seconds of silence in the middle of its next answer."""
    wrong: dict[str, int] = field(default_factory=dict)
    """By file: how many more answers hold other bytes than announced."""
    seconds_per_piece: float = 0.0
    silent_seconds: float = 0.0
    """Before every answer."""
    seen: list[Seen] = field(default_factory=list)
    address: str = ""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, of: dict[str, int], name: str) -> bool:
        """Whether one more of these answers goes wrong."""
        with self.lock:
            left = of.get(name, 0)
            of[name] = max(0, left - 1)
            return left > 0

    def heal(self) -> None:
        """Nothing fails from now on, and nothing was asked."""
        for failures in (self.cuts, self.refusals, self.pauses, self.wrong):
            failures.clear()
        self.seconds_per_piece, self.most_at_once = 0.0, 0
        self.seen.clear()

    @property
    def handler(self) -> type["Handler"]:
        """What speaks the hub's protocol."""
        return Handler

    def fetched(self, ending: str = "") -> list[Seen]:
        """The requests for content of files, in order."""
        return [
            each
            for each in self.seen
            if each.method == "GET" and each.path.endswith(ending) and "/resolve/" in each.path
        ]

    @contextmanager
    def running(self, host: str = "127.0.0.1", port: int = 0) -> Iterator["HubServer"]:
        """Serve at an address of this machine."""
        handler = type("Handler", (self.handler,), {"hub": self})
        with ThreadingHTTPServer((host, port), handler) as server:
            server.daemon_threads = True
            self.address = f"http://{host}:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


class Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        hub, (path, query) = self.hub, urlsplit(self.path)[2:4]
        given = self.headers.get("Authorization")
        hub.seen.append(Seen(self.command, path, self.headers.get("Range"), given))
        time.sleep(hub.silent_seconds)
        for key, planned in hub.refusals.items():
            if path.endswith(key) and planned:
                status, headers = planned.pop(0)
                return self._send(status, b"{}", headers)
        return self._tell_of(path, parse_qs(query))

    def _tell_of(self, path: str, query: Mapping[str, list[str]]) -> None:
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path):
            return self._tell(found[1], found[2], unquote(found[3]), query)
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(found[1], unquote(found[2]), unquote(found[3]))
        return self._refuse(404, "EntryNotFound", path)

    def _tell(self, name: str, what: str, revision: str, query: Mapping[str, list[str]]) -> None:
        commit, files = self._find(name, revision)
        if commit is None:
            return None
        described = [self._describe(path, content) for path, content in files.items()]
        if what == "tree":
            return self._send(200, json.dumps(described).encode())
        blobs = query.get("blobs") == ["true"]
        siblings = [
            {"rfilename": each["path"]}
            | (
                {"size": each["size"], "blobId": each["oid"]}
                | (
                    {"lfs": {"sha256": each["lfs"]["oid"], "size": each["size"], "pointerSize": 1}}
                    if "lfs" in each
                    else {}
                )
                if blobs
                else {}
            )
            for each in described
        ]
        gated = "manual" if self.hub.repositories[name].gated else False
        said = {
            "id": name,
            "modelId": name,
            "sha": commit,
            "gated": gated,
            "private": False,
            "tags": [],
            "downloads": 0,
            "siblings": siblings,
        }
        return self._send(200, json.dumps(said).encode())

    @staticmethod
    def _describe(path: str, content: bytes) -> dict[str, Any]:
        said: dict[str, Any] = {
            "type": "file",
            "path": path,
            "size": len(content),
            "oid": git_id(content),
        }
        if path.endswith(LARGE):
            digest = hashlib.sha256(content).hexdigest()
            said["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 1}
        return said

    def _find(self, name: str, revision: str) -> tuple[str | None, dict[str, bytes]]:
        repository = self.hub.repositories.get(name)
        if repository is None:
            # To strangers the hub does not tell a private model from none.
            self._refuse(401, "RepoNotFound", "Repository not found")
            return None, {}
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return None, {}
        return commit, repository.commits[commit]

    def _resolve(self, name: str, revision: str, path: str) -> None:
        hub = self.hub
        commit, files = self._find(name, revision)
        if commit is None:
            return None
        if hub.repositories[name].gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "GatedRepo", f"Access to model {name} is restricted")
        if path not in files:
            return self._refuse(404, "EntryNotFound", f"{path} does not exist", commit)
        content, is_large = files[path], path.endswith(LARGE)
        etag = hashlib.sha256(content).hexdigest() if is_large else git_id(content)
        headers = {
            "ETag": f'"{etag}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
            **(
                {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
                if is_large
                else {}
            ),
        }
        return self._send_file(path, content, headers)

    def _send_file(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        if self.command == "GET" and self.hub.take(self.hub.wrong, name):
            content = bytes(len(content))
        status, total = 200, len(content)
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            first = int(asked[1])
            status, content = 206, content[first:]
            headers["Content-Range"] = f"bytes {first}-{total - 1}/{total}"
        return self._send(status, content, headers, name=name)

    def _refuse(self, status: int, code: str, message: str, commit: str | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if commit is not None:
            headers["X-Repo-Commit"] = commit
        self._send(status, json.dumps({"error": message}).encode(), headers)

    def _send(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        name: str = "",
    ) -> None:
        hub = self.hub
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        with hub.lock:
            hub.at_once += 1
            hub.most_at_once = max(hub.most_at_once, hub.at_once)
        try:
            self._write(content, name)
        except OSError:
            # The other side has given up.
            self.close_connection = True
        finally:
            with hub.lock:
                hub.at_once -= 1

    def _write(self, content: bytes, name: str) -> None:
        hub, half = self.hub, len(content) // 2
        is_cut = hub.take(hub.cuts, name)
        pause = hub.pauses.pop(name, 0.0)
        size = max(1, len(content) // 8)
        for start in range(0, half if is_cut else len(content), size):
            end = min(start + size, half if is_cut else len(content))
            self.wfile.write(content[start:end])
            self.wfile.flush()
            time.sleep(hub.seconds_per_piece if name else 0)
            if pause and start < half <= end:
                time.sleep(pause)
        if is_cut:
            self.close_connection = True
