"""The converter is fetched from any index, and only the expected bytes are accepted (E3, F8)."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from packageurl import PackageURL

from plan.labels import CONTENTS
from stack_configs.settings.model_families import MODEL_FAMILIES
from tests.images.conftest import load_program

CONVERTER = Path(__file__).parents[2] / "images/converter"
PROGRAM = CONVERTER / "build/fetch_converter.py"
DOCKERFILE = CONVERTER / "Dockerfile"


@pytest.fixture
def program():
    return load_program(PROGRAM)


@pytest.fixture
def archive(program):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name in (
            "convert_hf_to_gguf.py",
            "conversion/base.py",
            "gguf-py/gguf/vocab.py",
            "gguf-py/tests/test_x.py",
            "models/ggml-vocab-qwen2.gguf",
            "models/ggml-vocab-falcon.gguf",
            "src/llama.cpp",
        ):
            content = name.encode()
            member = tarfile.TarInfo(f"{program.INSIDE}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


@pytest.fixture
def index(program, archive, monkeypatch):
    """A mirror whose links are relative, as mirrors have them."""
    pages = {
        "https://mirror.example/simple/llama-cpp-python/": (
            '<a href="../../packages/llama_cpp_python-0.3.35.tar.gz#sha256=0">old</a>'
            f'<a href="../../packages/{program.LLAMA_CPP.archive}#sha256=1">this</a>'
        ).encode(),
        f"https://mirror.example/packages/{program.LLAMA_CPP.archive}": archive,
    }
    monkeypatch.setattr(program, "_get", pages.__getitem__)
    return "https://mirror.example/simple/"


@pytest.fixture
def package(program, archive):
    return replace(program.LLAMA_CPP, sha256=hashlib.sha256(archive).hexdigest())


def test_the_archive_is_found_through_the_index(program, index, package, archive):
    assert program.download(index, package) == archive


def test_other_bytes_are_refused(program, index, package, capsys):
    with pytest.raises(SystemExit):
        program.download(index, replace(package, sha256="0" * 64))
    assert "expected 0000" in capsys.readouterr().err


def test_an_index_without_the_archive_says_so(program, index, package, capsys):
    with pytest.raises(SystemExit):
        program.download(index, replace(package, archive="llama_cpp_python-9.9.9.tar.gz"))
    assert "does not list llama_cpp_python-9.9.9.tar.gz" in capsys.readouterr().err


def test_an_unreachable_index_names_the_setting(program, monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(program.urllib.request, "urlopen", refuse)

    with pytest.raises(SystemExit):
        program.download("https://mirror.example/simple", program.LLAMA_CPP)
    assert "images.mirrors.python_index" in capsys.readouterr().err


def unpacked(program, archive, folder, wanted):
    program.extract(archive, folder, wanted)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_only_the_converter_is_unpacked(program, archive, tmp_path):
    assert unpacked(program, archive, tmp_path, program.CONVERTER) == [
        "conversion/base.py",
        "convert_hf_to_gguf.py",
        "gguf-py/gguf/vocab.py",
        "models/ggml-vocab-qwen2.gguf",
    ]


def test_the_sources_of_the_quantizer_come_from_the_same_archive(program, archive, tmp_path):
    assert unpacked(program, archive, tmp_path, program.PROGRAMS) == ["src/llama.cpp"]


def test_every_family_finds_its_vocabulary(program):
    """The names that a planner writes are those that the image's build leaves."""
    unpacked = {
        PurePosixPath(name).name for name in (*program.CONVERTER, program.MISTRAL_VOCABULARY)
    }
    assert {family.vocabulary.name for family in MODEL_FAMILIES.values()} <= unpacked


def test_mistrals_vocabulary_lies_beside_the_others(program, tmp_path):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(program.MISTRAL_VOCABULARY, b"pieces")
        packed.writestr("mistral_common/data/tekken_240718.json", b"{}")
    (tmp_path / "models").mkdir()
    program.extract_vocabulary(wheel.getvalue(), tmp_path)
    (found,) = (tmp_path / "models").iterdir()
    assert found.read_bytes() == b"pieces"


def test_the_image_tells_what_was_fetched(program):
    (label,) = (
        line
        for line in DOCKERFILE.read_text().splitlines()
        if line.startswith(f"LABEL {CONTENTS}=")
    )
    versions = {
        package.project: package.archive.split("-")[1].removesuffix(".tar.gz")
        for package in (program.LLAMA_CPP, program.MISTRAL)
    }
    told = {
        purl.name: purl.version
        for purl in map(PackageURL.from_string, label.partition("=")[2].strip('"').split())
    }
    assert told == versions
