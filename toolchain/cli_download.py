"""The official CLI, from Pulumi's download site."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tarfile
from pathlib import Path

import httpx

from toolchain import versions
from toolchain.errors import ToolchainError
from toolchain.progress import Step

SITE = "https://get.pulumi.com/releases/sdk"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""A site that cannot be reached is given up quickly: there is another way."""

MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def download_site_answers() -> bool:
    """Tell whether the download site can be reached at all."""
    try:
        httpx.head(f"{SITE}/{archive_name()}", timeout=TIMEOUT, follow_redirects=True)
    except (httpx.HTTPError, ToolchainError):
        return False
    return True


def download_cli(folder: Path) -> None:
    """Download the release, check it against the published checksum and unpack it."""
    archive = archive_name()
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with Step(f"Downloading the Pulumi CLI {versions.PULUMI} from {SITE}") as step:
            sums = _get_text(f"{SITE}/pulumi-{versions.PULUMI}-checksums.txt")
            expected = expected_checksum(sums, archive)
            _download(f"{SITE}/{archive}", partial / archive, step)
            check(partial / archive, expected)
            with tarfile.open(partial / archive) as tar:
                tar.extractall(partial, filter="data")
        (partial / "pulumi").rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def archive_name(machine: str | None = None) -> str:
    """Return the release's file name for this machine."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        msg = f"there is no official Pulumi CLI for {machine}; there is for {', '.join(MACHINES)}"
        raise ToolchainError(msg)
    return f"pulumi-v{versions.PULUMI}-linux-{MACHINES[machine]}.tar.gz"


def expected_checksum(sums: str, archive: str) -> str:
    """Find a file in a checksum list."""
    for line in sums.splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return digest
    msg = f"the published checksums do not name {archive}"
    raise ToolchainError(msg)


def check(path: Path, expected: str) -> None:
    """Refuse a file that is not the published one."""
    with path.open("rb") as handle:
        actual = hashlib.file_digest(handle, "sha256").hexdigest()
    if actual != expected:
        msg = f"{path.name} has the SHA-256 {actual}; published is {expected}"
        raise ToolchainError(msg)


def _get_text(url: str) -> str:
    try:
        return httpx.get(url, timeout=TIMEOUT, follow_redirects=True).raise_for_status().text
    except httpx.HTTPError as error:
        msg = f"{url}: {error}"
        raise ToolchainError(msg) from error


def _download(url: str, target: Path, step: Step) -> None:
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as response:
            response.raise_for_status()
            total = int(response.headers.get("content-length", 0)) or None
            with target.open("wb") as handle:
                for chunk in response.iter_bytes(1 << 20):
                    handle.write(chunk)
                    done = handle.tell() >> 20
                    step.update(f"{done} of {total >> 20} MB" if total else f"{done} MB")
    except httpx.HTTPError as error:
        msg = f"{url}: {error}"
        raise ToolchainError(msg) from error
