"""Fetches llama.cpp's GGUF converter, and vocabularies of models, out of packages on the index.

Usage: fetch_converter.py DESTINATION [SOURCE]

With SOURCE the sources of llama.cpp's programs are put there as well.

The packages that carry them are llama-cpp-python and mistral-common: an index is reachable from
places where a code host is not, and the pinned hash makes it the same file everywhere. Reads
PIP_INDEX_URL (empty: the public index) and EXTRA_CA_B64 (base64 of PEM certificates to trust as
well; empty: none). The vocabularies lie in DESTINATION/models.
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
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Never

PUBLIC_INDEX = "https://pypi.org/simple"
ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Package:
    """A file of a project on the index."""

    project: str
    archive: str
    sha256: str


LLAMA_CPP = Package(
    project="llama-cpp-python",
    archive="llama_cpp_python-0.3.36.tar.gz",
    sha256="832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
)
INSIDE = PurePosixPath("llama_cpp_python-0.3.36/vendor/llama.cpp")
VOCABULARIES = ("deepseek-llm", "gemma-4", "llama-bpe", "llama-spm", "qwen2")
CONVERTER = (
    *("convert_hf_to_gguf.py", "conversion", "gguf-py/gguf", "LICENSE"),
    *(f"models/ggml-vocab-{name}.gguf" for name in VOCABULARIES),
)
PROGRAMS = (
    *("CMakeLists.txt", "LICENSE", "licenses", "cmake", "common", "ggml", "include", "src"),
    *("tools", "vendor"),
)

MISTRAL = Package(
    project="mistral-common",
    archive="mistral_common-1.13.1-py3-none-any.whl",
    sha256="98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af",
)
MISTRAL_VOCABULARY = "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3"


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


def download(index: str, package: Package) -> bytes:
    """The archive, found through the index's page of the project and checked by its hash."""
    page = f"{index.rstrip('/')}/{package.project}/"
    for link in re.findall(r'href="([^"]+)"', _get(page).decode()):
        url = urllib.parse.urljoin(page, link.replace("&amp;", "&"))
        if PurePosixPath(urllib.parse.urlsplit(url).path).name == package.archive:
            content = _get(urllib.parse.urldefrag(url).url)
            if (found := hashlib.sha256(content).hexdigest()) != package.sha256:
                _fail(f"{url} has sha256 {found}, expected {package.sha256}")
            return content
    _fail(f"{page} does not list {package.archive}; if it is a mirror, use one that has it")


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


def extract_vocabulary(wheel: bytes, destination: Path) -> None:
    """Writes Mistral's vocabulary beside llama.cpp's."""
    target = destination / "models" / PurePosixPath(MISTRAL_VOCABULARY).name
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        target.write_bytes(archive.read(MISTRAL_VOCABULARY))


if __name__ == "__main__":
    chosen = os.environ.get("PIP_INDEX_URL") or PUBLIC_INDEX
    content = download(chosen, LLAMA_CPP)
    for place, files in zip(sys.argv[1:], (CONVERTER, PROGRAMS), strict=False):
        extract(content, Path(place), files)
    extract_vocabulary(download(chosen, MISTRAL), Path(sys.argv[1]))
