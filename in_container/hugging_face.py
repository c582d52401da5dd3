"""Hugging Face's hub, or a mirror of it: what a model consists of there, and the way to its files.

HF_TOKEN, HF_ENDPOINT and the variables for proxies count. Lies beside `fetch_model.py`, inside the
LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - huggingface_hub is in the image only, and reads the environment as it loads

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from hub_file import File  # type: ignore[import-not-found]

AT_ONCE = 8
"""Files that are fetched together."""


class HuggingFace:
    """One model there, at the revision that is asked for."""

    setting = "models[].base_model.hub"
    mirror = "images.mirrors.model_hub"
    secret = "hub_token"  # noqa: S105 - the name, as `pulumi config` has it

    def __init__(self, repo: str, asked: str) -> None:
        # Bars are for terminals; ten seconds, the default, are short for a hub that is far away.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
        os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "30")
        from huggingface_hub import constants  # type: ignore[import-not-found]

        self._repo, self._asked = repo, asked
        self.address = str(constants.ENDPOINT)
        self.place = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"

    def tell(self) -> tuple[str, tuple[File, ...]]:
        """The commit, and all files of it."""
        from huggingface_hub import HfApi

        info = HfApi().model_info(self._repo, revision=self._asked, files_metadata=True)
        files = tuple(
            File(
                name=each.rfilename,
                size=int(each.size or 0),
                sha256=each.lfs.sha256 if each.lfs else None,
                git_id=None if each.lfs else each.blob_id,
            )
            for each in info.siblings or ()
        )
        return str(info.sha), files

    def snapshot(self, commit: str) -> Path:
        """Where the files of a commit lie, as links to what they hold."""
        return self.place / "snapshots" / commit

    def download(self, files: Sequence[File]) -> None:
        """Fetch what is not there yet. Raises what the hub's client raises."""
        from huggingface_hub import snapshot_download

        snapshot_download(
            self._repo,
            revision=self._asked,
            allow_patterns=[glob.escape(file.name) for file in files],
            max_workers=AT_ONCE,
        )
