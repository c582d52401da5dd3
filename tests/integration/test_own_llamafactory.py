"""LLaMA-Factory other than a release: a source at a commit, and a Dockerfile of one's own (F1, F3).

A server on this host holds a repository with the release's package under another version. Both
images are built on the training image, which has all that the package needs.
"""

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plan.image import ImagesPlan
from tests.integration.conftest import Engine
from tests.integration.test_variants import build, plan, run

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

VERSION = "0.9.5+ours"
PYPROJECT = f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "llamafactory"
version = "{VERSION}"
dependencies = ["transformers", "peft", "trl"]

[project.scripts]
llamafactory-cli = "llamafactory.cli:main"

[tool.setuptools.packages.find]
include = ["llamafactory*"]
"""
PACKAGE = "/opt/venv/lib/python3*/site-packages/llamafactory"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The CPU variant; there already after the demo's tests."""
    return build(plan(), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def source(engine: Engine, base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A git address of the package at a commit, on a server that builds reach."""
    work = tmp_path_factory.mktemp("source") / "factory"
    work.mkdir()
    packed: Any = engine.client.containers.run(
        base,
        ["sh", "-c", f"tar -C $(dirname {PACKAGE}) --exclude __pycache__ -c llamafactory"],
        network_mode="none",
        remove=True,
    )
    subprocess.run(["tar", "-x", "-C", work], input=packed, check=True)
    environment = work / "llamafactory/extras/env.py"
    text = environment.read_text()
    assert text.count('VERSION = "0.9.5"') == 1
    environment.write_text(text.replace('VERSION = "0.9.5"', f'VERSION = "{VERSION}"'))
    (work / "pyproject.toml").write_text(PYPROJECT)

    def git(*words: str) -> str:
        told = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(
            ["git", *told, *words], cwd=work, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "ours")
    git("clone", "-q", "--bare", ".", "../factory.git")
    git("-C", "../factory.git", "update-server-info")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(work.parent))
    server = http.server.ThreadingHTTPServer((engine.host_address, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://{engine.host_address}:{server.server_port}/factory.git"
        yield f"git+{address}@{git('rev-parse', 'HEAD').strip()}"
    finally:
        server.shutdown()
        server.server_close()


def version_in(engine: Engine, images: ImagesPlan, home: Path) -> str:
    return run(engine, build(images, home), "llamafactory-cli version")


@pytest.mark.capability("F1")
def test_a_source_at_a_commit_is_installed(home: Path, engine: Engine, base: str, source: str):
    images = plan(images={"llamafactory": {"base_image": base, "source": source}})
    assert f"version {VERSION}" in version_in(engine, images, home)
    installed = json.loads(
        run(
            engine,
            images.llamafactory.reference,
            "cat /opt/venv/lib/python3*/site-packages/llamafactory-*/direct_url.json; echo",
        )
    )
    assert installed["vcs_info"]["commit_id"] == source.rpartition("@")[2]


@pytest.mark.capability("F3")
def test_a_dockerfile_of_ones_own_is_built(home: Path, engine: Engine, base: str, tmp_path: Path):
    folder = tmp_path / "factory"
    folder.mkdir()
    (folder / "note.txt").write_text("ours\n")
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nARG LLAMAFACTORY_VERSION\nCOPY note.txt /opt/\n"
        'RUN echo "built for ${LLAMAFACTORY_VERSION}" >>/opt/note.txt\n'
    )
    images = plan(
        images={"llamafactory": {"base_image": base, "dockerfile": str(folder / "Dockerfile")}}
    )
    assert "version 0.9.5" in version_in(engine, images, home)
    note = run(engine, images.llamafactory.reference, "cat /opt/note.txt")
    assert note == "ours\nbuilt for 0.9.5\n"
