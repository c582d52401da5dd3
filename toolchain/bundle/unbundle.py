#!/usr/bin/env python3
"""Takes a stack out of its bundle: python3 unbundle.py BUNDLE.tar [FOLDER]

Checks every sum, then puts the project into FOLDER (finetune-stack, if not given), its tools into
the cache folder and its images into the Docker engine. Needs that engine and the Python that the
bundle was made with, and no network. After it, in FOLDER: make up STACK=...
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

MANIFEST = "manifest.json"
MANIFEST_SUM = "manifest.sha256"
FORMAT = 1
CHUNK = 1 << 20
LOAD_SECONDS = 3600.0
"""An engine says nothing while it unpacks a layer."""


class UnbundleError(Exception):
    """What keeps the bundle from being unpacked, in words for the operator."""


def described(member: tarfile.TarInfo, digest: str) -> dict[str, Any]:
    """A member, as the manifest has it."""
    if member.isreg():
        return {"size": member.size, "mode": member.mode & 0o7777, "sha256": digest}
    return {"type": member.type.decode(), "link": member.linkname}


def checked_manifest(archive: Path) -> dict[str, Any]:
    """Read the whole archive; its manifest, once every member is what that says."""
    found: dict[str, dict[str, Any]] = {}
    last: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|") as source:
            for member in source:
                digest, content = hashlib.sha256(), b""
                reader = source.extractfile(member) if member.isreg() else None
                while reader and (piece := reader.read(CHUNK)):
                    digest.update(piece)
                    if member.name in (MANIFEST, MANIFEST_SUM):
                        content += piece
                if member.name in (MANIFEST, MANIFEST_SUM):
                    last[member.name] = content
                else:
                    found[member.name] = described(member, digest.hexdigest())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise UnbundleError(
            f"{archive} cannot be read to its end ({error}): copy it again"
        ) from error
    manifest = last.get(MANIFEST, b"")
    if (
        hashlib.sha256(manifest).hexdigest()
        != last.get(MANIFEST_SUM, b"").decode(errors="replace").strip()
    ):
        raise UnbundleError(f"{archive} is damaged, in its manifest or at its end: copy it again")
    document: dict[str, Any] = json.loads(manifest)
    expected = document.pop("members")
    wrong = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UnbundleError(f"{archive} is damaged: {wrong[0]}{more}. Copy it again")
    if document["format"] != FORMAT:
        raise UnbundleError(
            f"{archive} has format {document['format']}; this program reads {FORMAT}"
        )
    return document


def judge_host(manifest: dict[str, Any]) -> None:
    """Refuse a host that the carried tools do not run on; start over with the right Python."""
    machine, python = manifest["machine"], manifest["python"]
    if platform.machine() != machine:
        raise UnbundleError(f"the bundle is for {machine}, and this host is {platform.machine()}")
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        return
    other = shutil.which(f"python{python}")
    if other is None:
        raise UnbundleError(
            f"the bundle's packages are for Python {python}, and there is no python{python} on PATH"
        )
    os.execv(other, [other, *sys.argv])  # noqa: S606


def place_files(archive: Path, manifest: dict[str, Any], folder: Path, tools: Path) -> None:
    """Unpack the project with packages and plugins into `folder`, other tools into `tools`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    packages = folder / ".venv" / "lib" / f"python{manifest['python']}" / "site-packages"
    places = {
        "project": folder,
        "packages": packages,
        "plugins": folder / ".pulumi-home" / "plugins",
        "cache": tools,
    }
    with tarfile.open(archive, "r|") as source:
        for member in source:
            first, _, rest = member.name.partition("/")
            if first in places:
                member.name = rest
                source.extract(member, places[first], filter="data")


def load_images(archive: Path, manifest: dict[str, Any], folder: Path) -> None:
    """Hand the images to the engine of the stack, and see that it has them."""
    packages = folder / ".venv" / "lib" / f"python{manifest['python']}" / "site-packages"
    sys.path[:0] = [str(folder), str(packages)]
    # From the bundle itself, now that they are there.
    from toolchain import engine_api  # noqa: PLC0415
    from toolchain.engine_choice import engine_choice  # noqa: PLC0415
    from toolchain.places import places_from  # noqa: PLC0415

    choice = engine_choice(places_from(os.environ, folder), manifest["stack"])
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(engine_api.reached(choice.host))
            engine_api.read_info(address)
        except engine_api.NoAnswerError as error:
            raise UnbundleError(
                f"no Docker engine answers at {choice.host} ({error}): start it, or set "
                "DOCKER_HOST, then run this again"
            ) from error
        connection = engine_api.open_connection(address, LOAD_SECONDS)
        stack.callback(connection.close)
        try:
            connection.request(
                "POST",
                "/images/load?quiet=1",
                body=pieces_of_images(archive),
                headers={"Host": "docker", "Content-Type": "application/x-tar"},
                encode_chunked=True,
            )
            answer = connection.getresponse().read().decode(errors="replace")
        except OSError as error:
            raise UnbundleError(f"the engine took no images ({error}); see its log") from error
        for reference, image_id in manifest["images"].items():
            try:
                there = engine_api.get_json(address, f"/images/{reference}/json", 60.0)["Id"]
            except engine_api.NoAnswerError:
                there = None
            if there != image_id:
                raise UnbundleError(f"the engine has not taken {reference}: {answer.strip()}")


def pieces_of_images(archive: Path) -> Iterator[bytes]:
    """The tar that the engine once wrote, from the members that it has become."""
    with tarfile.open(archive, "r|") as source:
        for member in source:
            first, _, rest = member.name.partition("/")
            if first != "images":
                continue
            member.name, member.linkname = rest, member.linkname.removeprefix("images/")
            yield member.tobuf(tarfile.PAX_FORMAT)
            reader: IO[bytes] | None = source.extractfile(member) if member.isreg() else None
            while reader and (piece := reader.read(CHUNK)):
                yield piece
            if reader:
                yield bytes(-member.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def keep_tools(tools: Path, folder: Path) -> None:
    """Move each tool to its place in the cache folder; one that is there stays."""
    from toolchain.places import places_from  # noqa: PLC0415

    cache = places_from(os.environ, folder).cache
    # Each is a folder of two names: what it is, and its version.
    for tool in sorted(tools.glob("*/*")):
        place = cache / tool.relative_to(tools)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(tool, place)


def unbundle(archive: Path, folder: Path) -> None:
    """Do all of it, or leave no folder behind."""
    if folder.exists():
        raise UnbundleError(f"{folder} is there already: name another folder")
    print(f"==> Checking every sum of {archive}", flush=True)
    manifest = checked_manifest(archive)
    judge_host(manifest)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    project, tools = partial / "project", partial / "tools"
    try:
        print(f"==> Unpacking the project at {manifest['commit']} and its tools", flush=True)
        place_files(archive, manifest, project, tools)
        print(f"==> Loading {len(manifest['images'])} images", flush=True)
        load_images(archive, manifest, project)
        keep_tools(tools, project)
        project.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"    done: cd {folder} && make up STACK={manifest['stack']}", flush=True)


def main() -> int:
    """Unpack one bundle; what is wrong is a message, not a trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("finetune-stack"))
    options = parser.parse_args()
    try:
        unbundle(options.archive.absolute(), options.folder.absolute())
    except UnbundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
