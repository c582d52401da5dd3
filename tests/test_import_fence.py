"""The rooms stay apart: what decides never imports what deploys."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PURE = ("stack_configs", "planning")
RUNTIME = "runtime"
PROVIDERS = ("pulumi", "pulumi_docker", "pulumi_command")
LONGEST_MODULE = 250
LONGEST_PROGRAM_IN_A_CONTAINER = 280
"""Such a program is uploaded by itself: it cannot be split without a second upload."""


def modules(*rooms: str) -> list[Path]:
    found = [path for room in rooms for path in sorted((PROJECT / room).rglob("*.py"))]
    assert found, f"{rooms} hold no module"
    return found


def imported_with(missing: tuple[str, ...], names: list[str]) -> subprocess.CompletedProcess[str]:
    """Imports the modules in a Python where some packages are not installed."""
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({missing!r}))\n"
        "import importlib\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def ruff(source: str, name: str, *rules: str) -> subprocess.CompletedProcess[str]:
    command = ["ruff", "check", "--select", ",".join(rules), "--stdin-filename", name, "-"]
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )


class TestImports:
    def test_what_decides_needs_nothing_of_what_deploys(self) -> None:
        names = [dotted(path) for path in modules(*PURE)]
        done = imported_with((*PROVIDERS, "docker", "httpx"), names)
        assert done.returncode == 0, done.stderr

    def test_the_programs_need_neither_pulumi_nor_the_settings(self) -> None:
        foreign = (*PROVIDERS, "stack_configs", "planning", "pydantic", "yaml")
        # What runs inside the training container imports what is installed there.
        inside = PROJECT / "in_container"
        names = [dotted(path) for path in modules(RUNTIME) if inside not in path.parents]
        done = imported_with(foreign, names)
        assert done.returncode == 0, done.stderr

    def test_a_missing_package_is_noticed(self) -> None:
        done = imported_with(("yaml",), ["stack_configs.settings.loader"])
        assert done.returncode != 0
        assert "yaml" in done.stderr

    @pytest.mark.parametrize("path", modules(*PURE), ids=dotted)
    def test_decisions_take_no_look_at_the_world(self, path: Path) -> None:
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=aliases):
                    names |= {alias.name.split(".")[0] for alias in aliases}
                case ast.ImportFrom(module=str(module)):
                    names.add(module.split(".")[0])
                case ast.Attribute(value=ast.Name(id="os"), attr=attribute):
                    names.add(f"os.{attribute}")
        assert not names & {"socket", "subprocess", "time", "datetime", "random", "uuid", "urllib"}
        assert {name for name in names if name.startswith("os.")} <= {"os.path"}

    def test_importing_the_components_package_imports_nothing(self) -> None:
        body = ast.parse((PROJECT / "components/__init__.py").read_text(encoding="utf-8")).body
        assert len(body) == 1
        assert isinstance(body[0], ast.Expr)


class TestLintRule:
    @pytest.mark.parametrize("room", [*PURE, RUNTIME])
    @pytest.mark.parametrize("package", PROVIDERS)
    def test_it_fires_behind_the_fence(self, room: str, package: str) -> None:
        done = ruff(f"import {package}\n", f"{room}/intruder.py", "TID251")
        assert done.returncode == 1
        assert "TID251" in done.stdout

    @pytest.mark.parametrize("name", ["components/volumes.py", "__main__.py", "tests/test_x.py"])
    def test_it_is_silent_before_the_fence(self, name: str) -> None:
        done = ruff("import pulumi\n", name, "TID251")
        assert done.returncode == 0, done.stdout

    def test_nobody_silences_it(self) -> None:
        for path in modules(*PURE, RUNTIME):
            assert "TID251" not in path.read_text(encoding="utf-8"), path


class TestLayout:
    def test_tests_are_no_packages(self) -> None:
        assert list((PROJECT / "tests").rglob("__init__.py")) == []

    @pytest.mark.parametrize("path", modules("stack_configs", "components"), ids=dotted)
    def test_a_module_is_short_enough_to_read(self, path: Path) -> None:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        alone = path.parent.name == "in_container"
        longest = LONGEST_PROGRAM_IN_A_CONTAINER if alone else LONGEST_MODULE
        assert lines <= longest, "a noun is hiding in it"

    def test_the_program_only_loads_plans_and_exports(self) -> None:
        assert len((PROJECT / "__main__.py").read_text(encoding="utf-8").splitlines()) < 60

    @pytest.mark.parametrize("path", modules("stack_configs", "components"), ids=dotted)
    def test_a_module_says_what_it_is_for_and_is_named_after_it(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert path.stem not in {"utils", "helpers", "common", "misc"}
