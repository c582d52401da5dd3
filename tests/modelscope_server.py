"""A server that speaks ModelScope's protocol, and fails as `tests/hub_server.py` does.

The answers are as the real one gives them: an envelope of `Code`, `Data`, `Message` and `Success`;
of every file its size, its SHA-256 and the commit that changed it last; of the branch's own commit
the first eight digits. Content of large files comes from a storage that the API leads to.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from plan.host import HubName
from tests.hub_server import LARGE, TOKEN, Handler, HubServer, Repository, Seen


@dataclass
class ModelScopeServer(HubServer):
    """What it serves, how it fails, and what was asked of it.

    `refusals` are by path: `repo/files` lists, `repo` gives small files, `/storage/...` large ones.
    """

    kind: ClassVar[HubName] = "modelscope"
    branch: ClassVar[str] = "master"

    @property
    def handler(self) -> type[Handler]:
        """What speaks ModelScope's protocol."""
        return ModelScopeHandler

    def fetched(self, ending: str = "") -> list[Seen]:
        """The requests for content of large files, in order."""
        return [
            each
            for each in self.seen
            if each.path.startswith("/storage/") and each.path.endswith(ending)
        ]


class ModelScopeHandler(Handler):
    """One request."""

    def _tell_of(self, path: str, query: Mapping[str, list[str]]) -> None:
        if found := re.fullmatch(r"/storage/([^/]+/[^/]+)/([^/]+)/(.+)", path):
            name = unquote(found[3])
            content = self.hub.repositories[found[1]].commits[found[2]][name]
            return self._send_file(name, content, {"Accept-Ranges": "bytes"})
        found = re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/(repo|repo/files|revisions)", path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if found is None or repository is None:
            return self._wrap(404, None, "record not found")
        if found[2] == "revisions":
            branches = [{"Revision": name, "CreatedAt": 0} for name in repository.branches]
            return self._wrap(200, {"RevisionMap": {"Branches": branches, "Tags": []}})
        revision = query["Revision"][0]
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            return self._wrap(404, None, "revision not found")
        if found[2] == "repo/files":
            return self._list(commit, repository.commits[commit])
        return self._give(repository, commit, query["FilePath"][0], f"/storage/{found[1]}/{commit}")

    def _list(self, commit: str, files: Mapping[str, bytes]) -> None:
        listed = [
            {
                "Name": name.rpartition("/")[2],
                "Path": name,
                "Type": "blob",
                "Size": len(content),
                "Sha256": hashlib.sha256(content).hexdigest(),
                "IsLFS": name.endswith(LARGE),
                "Revision": commit,
            }
            for name, content in files.items()
        ]
        latest = {"Id": "", "ShortId": commit[:8]}
        self._wrap(200, {"Files": listed, "IsVisual": 1, "LatestCommitter": latest})

    def _give(self, repository: Repository, commit: str, name: str, storage: str) -> None:
        content = repository.commits[commit].get(name)
        if repository.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._wrap(403, None, "no permission")
        elif content is None:
            self._wrap(404, None, "file not found")
        elif name.endswith(LARGE):
            self._send(302, b"", {"Location": f"{storage}/{quote(name)}"})
        else:
            self._send_file(name, content, {"Accept-Ranges": "bytes"})

    def _wrap(self, code: int, data: Any, message: str = "success") -> None:
        said = {"Code": code, "Data": data, "Message": message, "Success": code == 200}
        self._send(code, json.dumps(said).encode(), {"Content-Type": "application/json"})
