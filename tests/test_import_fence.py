"""The rooms stay apart: who imports whom, and what is spelled once for all of them."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from plan import labels, paths

PROJECT = Path(__file__).parents[1]
PULUMI = frozenset({"pulumi", "pulumi_command", "pulumi_docker"})


@dataclass(frozen=True)
class Room:
    """What the modules of one folder may import beside each other and the standard library."""

    rooms: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    longest_module: int = 250
    """Lines. A module that needs more hides a noun."""


ROOMS: Mapping[str, Room] = {
    "stack_configs": Room(
        frozenset({"plan"}), frozenset({"jsonschema", "pydantic", "pydantic_core", "yaml"})
    ),
    "plan": Room(),
    "planning": Room(frozenset({"stack_configs", "plan"}), frozenset({"yaml"})),
    "components": Room(frozenset({"plan"}), PULUMI),
    # docker speaks to the engine through requests, and that through urllib3.
    "runtime": Room(
        frozenset({"plan"}),
        # The card of a model is a template.
        frozenset({"docker", "jinja2", "jsonschema", "rapidfuzz", "requests", "urllib3", "yaml"}),
        longest_module=280,
    ),
    # Reads what the others have left behind, and changes nothing.
    "report": Room(
        frozenset({"plan", "runtime"}),
        frozenset(
            {"cryptography", "cyclonedx", "jinja2", "packageurl", "securesystemslib", "yaml"}
        ),
    ),
    # Reads states as the report does; removes what no stack refers to.
    "retention": Room(frozenset({"plan", "runtime", "report"})),
    # Uploaded file by file into images that have these; a second file is a second upload.
    "in_container": Room(
        packages=frozenset(
            {
                # Programs that are uploaded beside those that import them.
                *("chat_encoding", "sentencepiece_file", "text_beginnings"),
                "datasets",
                # Uploaded beside the program that fetches.
                *("hub_file", "hub_patience", "hugging_face", "model_scope"),
                "gguf",
                "huggingface_hub",
                "llamafactory",
                "numpy",
                "requests",
                "safetensors",
                "sentencepiece",
                "tokenizers",
                "torch",
                "torch_npu",
                "transformers",
                "yaml",
            }
        ),
        longest_module=310,
    ),
    # Started by Pulumi on its own; sees what the engine is told.
    "policy": Room(packages=frozenset({"pulumi_policy"})),
    # `make doctor` judges the host as a preview does, `make chat` finds the server by its name,
    # `make bundle` reads the settings for what a stack needs.
    "toolchain": Room(
        frozenset({"stack_configs", "plan", "planning", "runtime"}),
        packages=frozenset({"docker", "google", "grpc", "httpx", "requests", "yaml"}),
    ),
    # Speaks Pulumi's protocol, whose messages come with its SDK.
    "toolchain/offline/plugins": Room(
        frozenset({"toolchain"}), frozenset({"docker", "google", "grpc", "pulumi", "requests"})
    ),
    "__main__.py": Room(
        frozenset({"stack_configs", "plan", "planning", "components", "runtime"}),
        PULUMI,
        longest_module=85,
    ),
}
"""In the order of the flow."""

PRODUCT = (
    *("stack_configs", "plan", "planning", "components", "runtime", "report", "retention"),
    "in_container",
)
PURE = ("stack_configs", "plan", "planning")
"""What decides: the same settings and facts always give the same plan."""

AGREED = frozenset(
    str(value)
    for module in (labels, paths)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str | PurePosixPath)
)
"""What several rooms agree on."""

WRITTEN_OUT = PROJECT / "components/type_tokens.py"
"""Types are part of what a state holds: no change of a name in `plan/` may change them."""

OURS = frozenset(PRODUCT) | {"toolchain", "tests", "benchmarks", "faults"}


def modules(*rooms: str) -> list[Path]:
    """Every module of some rooms; those of a room inside a room belong to the inner one."""
    found = []
    for room in rooms:
        inner = [PROJECT / other for other in ROOMS if other.startswith(f"{room}/")]
        place = PROJECT / room
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        found += [file for file in files if not any(file.is_relative_to(each) for each in inner)]
    assert found, f"{rooms} hold no module"
    return found


def named(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """First names of everything that a module imports, at whatever depth of its code."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                found |= {alias.name.split(".")[0] for alias in aliases}
            case ast.ImportFrom(level=0, module=str(module)):
                found.add(module.split(".")[0])
            case ast.ImportFrom():
                found.add("(relative)")
    return found


def trespasses(room: str, tree: ast.AST) -> set[str]:
    """What a module of a room imports and may not."""
    allowed = ROOMS[room].rooms | ROOMS[room].packages | sys.stdlib_module_names
    own = {room.split("/", maxsplit=1)[0]} & OURS
    return imported(tree) - allowed - own


def strings(tree: ast.AST) -> Iterator[str]:
    """The strings of a module's code: no docstrings."""
    explained = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in explained:
                yield text


class TestImports:
    @pytest.mark.parametrize(
        ("room", "path"),
        [pytest.param(room, path, id=named(path)) for room in ROOMS for path in modules(room)],
    )
    def test_a_module_imports_only_what_its_room_may(self, room: str, path: Path) -> None:
        assert trespasses(room, parsed(path)) == set()

    def test_every_module_of_the_repository_is_in_a_room(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "*.py"], cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout.split()
        outside = {name.split("/")[0] for name in listed} - set(ROOMS)
        # Programs of images belong to no package; the others use the product from outside.
        assert outside == {"benchmarks", "docs", "faults", "images", "tests"}

    @pytest.mark.parametrize(
        ("room", "source", "stranger"),
        [
            ("plan", "import yaml", "yaml"),
            ("plan", "from planning.step import PROJECT", "planning"),
            ("planning", "import docker.errors", "docker"),
            ("planning", "def f():\n    from runtime.program import say", "runtime"),
            ("runtime", "import pulumi_command as command", "pulumi_command"),
            ("runtime", "from stack_configs.settings.root import Settings", "stack_configs"),
            ("components", "from planning import images", "planning"),
            ("report", "from planning.step import PROJECT", "planning"),
            ("in_container", "from plan import paths", "plan"),
            ("toolchain", "import pulumi", "pulumi"),
            ("toolchain/offline/plugins", "from plan import labels", "plan"),
            ("stack_configs", "from . import rule", "(relative)"),
        ],
    )
    def test_the_fence_sees_who_climbs_it(self, room: str, source: str, stranger: str) -> None:
        assert trespasses(room, ast.parse(source)) == {stranger}

    @pytest.mark.parametrize("path", modules(*PURE), ids=named)
    def test_decisions_take_no_look_at_the_world(self, path: Path) -> None:
        tree = parsed(path)
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        }
        windows = {"socket", "subprocess", "time", "datetime", "random", "secrets", "uuid"}
        assert not imported(tree) & (windows | {"urllib", "http"})
        assert used <= {"path"}


class TestLintRule:
    """The same rule in the editor, for the packages that are trespassed with most easily."""

    @pytest.mark.parametrize(
        "room", [*PURE, "runtime", "report", "retention", "in_container", "toolchain"]
    )
    def test_it_fires_behind_the_fence(self, room: str) -> None:
        found = ruff("".join(f"import {name}\n" for name in sorted(PULUMI)), f"{room}/intruder.py")
        assert found.count("TID251") == len(PULUMI)

    @pytest.mark.parametrize(
        "name",
        ["components/volumes.py", "__main__.py", "tests/x.py", "toolchain/offline/plugins/wire.py"],
    )
    def test_it_is_silent_before_the_fence(self, name: str) -> None:
        assert "TID251" not in ruff("import pulumi\n", name)

    def test_nobody_silences_it(self) -> None:
        for path in modules(*ROOMS):
            assert "TID251" not in path.read_text(encoding="utf-8"), named(path)


class TestOneDefinition:
    """What several rooms agree on is spelled in `plan/`, and nowhere else."""

    def test_there_is_something_to_look_for(self) -> None:
        assert {"finetune-stack.owner", "/app/output", "complete.json", "dataset_info.json"} <= (
            AGREED
        )

    @pytest.mark.parametrize(
        "path",
        [
            path
            for path in modules(
                *("stack_configs", "planning", "components", "runtime", "report", "retention"),
                "__main__.py",
            )
            if path != WRITTEN_OUT
        ],
        ids=named,
    )
    def test_no_label_or_path_is_spelled_again(self, path: Path) -> None:
        again = {text for text in strings(parsed(path)) if any(agreed in text for agreed in AGREED)}
        assert again == set(), "take it from plan.labels or plan.paths"

    def test_types_begin_as_labels_do(self) -> None:
        tokens = list(strings(parsed(WRITTEN_OUT)))
        assert sum(token.startswith(f"{labels.NAMESPACE}:index:") for token in tokens) == 22


class TestLayout:
    def test_tests_are_no_packages(self) -> None:
        assert list((PROJECT / "tests").rglob("__init__.py")) == []

    @pytest.mark.parametrize("room", ROOMS)
    def test_modules_are_short_enough_to_read(self, room: str) -> None:
        lengths = {
            named(path): len(path.read_text(encoding="utf-8").splitlines())
            for path in modules(room)
        }
        longest = ROOMS[room].longest_module
        assert {name: lines for name, lines in lengths.items() if lines > longest} == {}

    @pytest.mark.parametrize("path", modules(*ROOMS), ids=named)
    def test_a_module_says_what_it_is_for_and_is_named_after_it(self, path: Path) -> None:
        assert ast.get_docstring(parsed(path))
        assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}

    @pytest.mark.parametrize("room", PRODUCT)
    def test_importing_a_room_imports_nothing_of_it(self, room: str) -> None:
        for path in modules(room):
            if path.name == "__init__.py":
                assert len(parsed(path).body) == 1, "its docstring alone"


def ruff(source: str, name: str) -> str:
    """What the rule of banned imports says about a file of that name."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--select",
            "TID251",
            "--stdin-filename",
            name,
            "-",
        ],
        cwd=PROJECT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
