"""Go's modules, by what its linker has written into each program.

As https://pkg.go.dev/debug/buildinfo reads it: of Go 1.18 and later.
"""

import base64
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

MAGIC = b"\xff Go buildinf:"
FLAGS, TEXTS = 15, 32
"""Where they begin."""
IS_INLINE = 2
SENTINEL = 16
"""Bytes before and after the lines of modules."""
UNKNOWN = "(devel)"
SUM = "h1:"


def go_programs(programs: Mapping[str, bytes]) -> Iterator[Component]:
    """Each program with the modules in it; `programs` has the build information by path."""
    for path, content in sorted(programs.items()):
        lines = build_lines(content)
        if lines is None:
            continue
        go, told = lines
        modules = sorted(_modules(told))
        yield Component(
            type=ComponentType.APPLICATION,
            name=PurePosixPath(path).name,
            bom_ref=path,
            components=[
                _module(path, "stdlib", go.removeprefix("go").split(" ")[0], ""),
                *(_module(path, *module) for module in modules),
            ],
        )


def build_lines(content: bytes) -> tuple[str, str] | None:
    """Go's version and the lines of modules; None for what an older Go has written, or none."""
    if not content.startswith(MAGIC) or len(content) < TEXTS or not content[FLAGS] & IS_INLINE:
        return None
    try:
        version, end = _text(content, TEXTS)
        modules, _ = _text(content, end)
    except IndexError:
        return None
    return version.decode(), modules[SENTINEL:-SENTINEL].decode("utf-8", "replace")


def _text(content: bytes, at: int) -> tuple[bytes, int]:
    """A text after its length, and where the next one begins."""
    length = shift = 0
    while True:
        byte = content[at]
        at, length, shift = at + 1, length | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return content[at : at + length], at + length


def _modules(lines: str) -> Iterator[tuple[str, str, str]]:
    """Path, version and sum of each module, what replaces it in its place."""
    found: list[tuple[str, str, str]] = []
    for line in lines.splitlines():
        kind, *words = line.split("\t")
        match [kind, *words]:
            case ["mod" | "dep", path, version, *rest]:
                found.append((path, version, rest[0] if rest else ""))
            case ["=>", path, version, *rest]:
                found[-1] = (path, version, rest[0] if rest else "")
    yield from found


def _module(program: str, path: str, version: str, told_sum: str) -> Component:
    namespace, _, name = path.rpartition("/")
    known = "" if version == UNKNOWN else version
    hashes = []
    if told_sum.startswith(SUM):
        digest = base64.b64decode(told_sum.removeprefix(SUM)).hex()
        hashes.append(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    return Component(
        name=path,
        version=known or None,
        purl=PackageURL(type="golang", namespace=namespace, name=name, version=known or None),
        bom_ref=f"{program}#{path}",
        hashes=hashes,
    )
