"""ModelScope: what a model consists of there, and the way to its files.

MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN and the variables for proxies count. Lies beside
`fetch_model.py`, inside the LLaMA-Factory image. The package `modelscope` has no say: its way of
fetching differs from version to version, and the API beneath stays.
"""

import fcntl
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from hub_file import File  # type: ignore[import-not-found]
from hub_patience import FetchError  # type: ignore[import-not-found]

ADDRESS = "https://modelscope.cn"
AT_ONCE = 8
"""Files that are fetched together."""
WRITTEN_AT_ONCE = 1 << 20
"""Bytes; what had come of them when a connection is cut is fetched anew."""
MOST_LISTED = 3000
"""Entries after which the listing ends, without a word on it."""


class ModelScope:
    """One model there, at the revision that is asked for."""

    setting = "models[].base_model.modelscope"
    mirror = "images.mirrors.modelscope"
    secret = "modelscope_token"  # noqa: S105 - the name, as `pulumi config` has it

    def __init__(self, repo: str, asked: str, cache: Path) -> None:
        """`cache`: the folder that keeps what comes from here."""
        self._repo, self._asked = repo, asked
        self.address = (os.environ.get("MODELSCOPE_ENDPOINT") or ADDRESS).rstrip("/")
        self.place = cache / f"models--{repo.replace('/', '--')}"
        self._model = f"{self.address}/api/v1/models/{repo}"
        seconds = float(os.environ.get("MODELSCOPE_DOWNLOAD_TIMEOUT") or 30)
        self._timeout = (seconds, seconds)
        self._session = requests.Session()
        if token := os.environ.get("MODELSCOPE_API_TOKEN"):
            # Older parts of the API know the cookie alone, newer ones the header.
            self._session.headers["Authorization"] = f"Bearer {token}"
            host = urlsplit(self.address).hostname or ""
            self._session.cookies.set("m_session_id", token, domain=host, path="/")

    def tell(self) -> tuple[str, tuple[File, ...]]:
        """The commit, or the revision where it is not told, and all files of it."""
        told = self._ask({"Revision": self._asked, "Recursive": "True"})
        listed = told.get("Files") or ()
        if len(listed) >= MOST_LISTED:
            raise FetchError(
                f"{self._repo} has more files than {self.address} lists. Fetch it by hand, and "
                "name its folder in models[].base_model.path"
            )
        files = tuple(
            File(
                name=str(each["Path"]),
                size=int(each["Size"]),
                sha256=each.get("Sha256") or None,
                git_id=None,
            )
            for each in listed
            if each.get("Type") != "tree"
        )
        return commit_of(told) or self._asked, files

    def snapshot(self, commit: str) -> Path:
        """Where the files lie, as links to what they hold: by what was asked for."""
        return self.place / "snapshots" / self._asked

    def download(self, files: Sequence[File]) -> None:
        """Fetch what is not there yet. Raises `requests.RequestException`, `OSError`."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = [pool.submit(self._fetch, file) for file in files]
        for each in fetched:
            each.result()

    def _fetch(self, file: File) -> None:
        # What two commits share is fetched once.
        named = file.sha256 or hashlib.sha256(f"{self._asked} {file.name}".encode()).hexdigest()
        blob, link = self.place / "blobs" / named, self.snapshot("") / file.name
        blob.parent.mkdir(parents=True, exist_ok=True)
        if not blob.exists():
            self._fill(file, blob)
        if not (link.is_symlink() and link.resolve() == blob.resolve()):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))

    def _fill(self, file: File, blob: Path) -> None:
        part = blob.with_name(f"{blob.name}.incomplete")
        with part.open("ab") as written:
            # Two files may be the same, and two stacks share a cache.
            fcntl.flock(written, fcntl.LOCK_EX)
            if blob.exists():
                part.unlink(missing_ok=True)
                return
            if written.tell() < file.size:
                self._stream(file, written)
            came = written.tell()
            if came > file.size:
                written.truncate(0)
            if came != file.size:
                raise ConnectionError(f"{file.name}: {came} of {file.size} bytes came")
            part.rename(blob)

    def _stream(self, file: File, written: Any) -> None:
        """Append what is missing."""
        first = written.tell()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={first}-"} if first else {})
        with self._session.get(
            f"{self._model}/repo",
            params={"Revision": self._asked, "FilePath": file.name},
            headers=headers,
            timeout=self._timeout,
            stream=True,
        ) as answer:
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                written.truncate(0)
            answer.raise_for_status()
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
                written.truncate(0)
            for piece in answer.iter_content(WRITTEN_AT_ONCE):
                written.write(piece)
                written.flush()

    def _ask(self, about: dict[str, str]) -> dict[str, Any]:
        answer = self._session.get(f"{self._model}/repo/files", params=about, timeout=self._timeout)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise FetchError(
                f"repository not found: {self.address} does not know {self._repo} at "
                f"{self._asked}, or it is private. Correct {self.setting} and .revision; for a "
                f"private model `pulumi config set --secret {self.secret}`"
            )
        answer.raise_for_status()
        said = answer.json()
        if not said.get("Success", True):
            raise requests.HTTPError(f"{said.get('Code')}: {said.get('Message')}", response=answer)
        return dict(said["Data"])


def commit_of(told: dict[str, Any]) -> str | None:
    """The commit that a listing is of; None where no file tells it in full.

    The listing has its first digits, and of each entry the commit that changed it last.
    """
    begins = str((told.get("LatestCommitter") or {}).get("ShortId") or "")
    changed = (str(each.get("Revision") or "") for each in told.get("Files") or ())
    return next((commit for commit in changed if begins and commit.startswith(begins)), None)
