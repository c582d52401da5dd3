"""Fetches llama.cpp's GGUF converter out of a source package on the Python index.

Usage: fetch_converter.py DESTINATION [SOURCE]

With SOURCE the sources of llama.cpp's programs are put there as well.

The package that carries it is llama-cpp-python: an index is reachable from places where a code
host is not, and the pinned hash makes it the same file everywhere. Reads PIP_INDEX_URL (empty: the
public index) and EXTRA_CA_B64 (base64 of PEM certificates to trust as well; empty: none).
"""

import base64
import hashlib
import io
import os
import re
import ssl
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Never

ARCHIVE = "llama_cpp_python-0.3.36.tar.gz"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
PROJECT = "llama-cpp-python"
PUBLIC_INDEX = "https://pypi.org/simple"

INSIDE = PurePosixPath("llama_cpp_python-0.3.36/vendor/llama.cpp")
CONVERTER = ("convert_hf_to_gguf.py", "conversion", "gguf-py/gguf", "LICENSE")
PROGRAMS = (
    *("CMakeLists.txt", "LICENSE", "licenses", "cmake", "common", "ggml", "include", "src"),
    *("tools", "vendor"),
)
ATTEMPTS = 3


def _fail(text: str) -> Never:
    print(f"error: {text}", file=sys.stderr)
    sys.exit(1)


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if extra := os.environ.get("EXTRA_CA_B64"):
        context.load_verify_locations(cadata=base64.b64decode(extra).decode())
    return context


def _get(url: str) -> bytes:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=60, context=_trust()) as response:  # noqa: S310
                return bytes(response.read())
        except (urllib.error.URLError, OSError) as error:
            print(f"attempt {attempt} of {ATTEMPTS}: {url}: {error}", file=sys.stderr)
    _fail(f"{url} cannot be read; if it is slow or unreachable, set images.mirrors.python_index")


def download(index: str) -> bytes:
    """The archive, found through the index's page of the project and checked by its hash."""
    page = f"{index.rstrip('/')}/{PROJECT}/"
    for link in re.findall(r'href="([^"]+)"', _get(page).decode()):
        url = urllib.parse.urljoin(page, link.replace("&amp;", "&"))
        if PurePosixPath(urllib.parse.urlsplit(url).path).name == ARCHIVE:
            content = _get(urllib.parse.urldefrag(url).url)
            if (found := hashlib.sha256(content).hexdigest()) != SHA256:
                _fail(f"{url} has sha256 {found}, expected {SHA256}")
            return content
    _fail(f"{page} does not list {ARCHIVE}; if it is a mirror, use one that has it")


def extract(archive: bytes, destination: Path, wanted: Sequence[str]) -> None:
    """Writes these files and folders of llama.cpp; the archive has much more."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(INSIDE):
                continue
            inside = path.relative_to(INSIDE)
            if any(inside.is_relative_to(place) for place in wanted):
                member.name = str(inside)
                tar.extract(member, destination, filter="data")


if __name__ == "__main__":
    content = download(os.environ.get("PIP_INDEX_URL") or PUBLIC_INDEX)
    for place, files in zip(sys.argv[1:], (CONVERTER, PROGRAMS), strict=False):
        extract(content, Path(place), files)
