"""Removes from the volumes of a stack what its request names: folders, and snapshots of the hub.

Usage: remove.py REQUEST_JSON

A folder gets another name before the first of its files goes, so that whatever breaks off here
leaves nothing that looks complete; the next run finds the rest by that name.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any


def set_aside(folder: Path, removed: str, complete: str) -> Path:
    """Where a folder lies from now on: where nobody takes it for what it was."""
    # A folder of media is complete by a file beside it.
    Path(f"{folder}{complete}").unlink(missing_ok=True)
    aside = Path(f"{folder}{removed}")
    if not folder.exists() or folder.name.endswith(removed):
        return folder if folder.exists() else aside
    if aside.exists():
        shutil.rmtree(aside)
    return folder.rename(aside)


def remove_snapshot(cache: Path, repo: str, commit: str) -> None:
    """Remove one commit of a model; files that another one has too stay."""
    from huggingface_hub import scan_cache_dir  # type: ignore[import-not-found]  # noqa: PLC0415

    if not cache.is_dir():
        return
    found = scan_cache_dir(cache)
    # A commit is one of its model; another model's may be called alike.
    own = frozenset(r for r in found.repos if (r.repo_id, r.repo_type) == (repo, "model"))
    replace(found, repos=own).delete_revisions(commit).execute()


def remove(request: dict[str, Any]) -> None:
    """Remove all that was asked for, one after the other."""
    for each in request["folders"]:
        aside = set_aside(Path(each["path"]), request["removed"], request["complete"])
        if snapshot := each["snapshot"]:
            remove_snapshot(Path(snapshot["cache"]), snapshot["repo"], snapshot["commit"])
        if aside.exists():
            shutil.rmtree(aside)


def main(arguments: Sequence[str]) -> None:
    """Do what the file asks for."""
    remove(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
