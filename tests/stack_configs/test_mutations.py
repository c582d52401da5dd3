"""Whatever is done to a settings file, it is settings or a list of problems, never a trace."""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plan.host import HostFacts
from plan.owner import Owner
from plan.problem import Problem, SettingsError
from planning.advice.advice import find_advice
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings, parse_settings
from stack_configs.settings.settings_yaml import SettingsYaml

CONFIGS = Path(__file__).parents[2] / "stack_configs"
FILES = [CONFIGS / "dev.yaml", CONFIGS / "demo.yaml", CONFIGS / "examples/two-models.yaml"]
FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

Place = tuple[str | int, ...]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["all", "../x.json", "a/b:c", "[", "/", "1e-4", "\0", "<<", "llama3", "::"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@FEW
@given(data=st.data())
def test_a_changed_document_is_settings_or_problems(path: Path, data: st.DataObject) -> None:
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=SettingsYaml)  # noqa: S506
    for _ in range(data.draw(st.integers(1, 3))):
        document = mutated(document, data)

    def judge() -> None:
        found = parse_settings(document, directory=path.parent, source="test.yaml")
        # What is taken can be planned, or is refused by the plan in the same words.
        plan_pipeline(found, owner=Owner(stack="test"), facts=HostFacts())
        assert are_sentences(find_advice(found, HostFacts()))

    assert are_sentences(problems_of(judge))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@FEW
@given(data=st.data())
def test_a_changed_text_is_settings_or_problems(
    path: Path, data: st.DataObject, tmp_path: Path
) -> None:
    text = path.read_text(encoding="utf-8").replace("file: data/", f"file: {path.parent}/data/")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=4)) + text[end:]
    (tmp_path / "test.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert are_sentences(problems_of(lambda: load_settings(tmp_path / "test.yaml")))


PIECES = [
    "", "\t", ":", ": ", "- ", "&a ", "*a", "<<: *a\n", "!!int ", "!!binary ", "? ", "|", ">", "'",
    '"', "{", "}", "[", "]", "#", "%", "@", "---\n", "...", "\r", "\0", "~", "=", ",", "\n", "  ",
]  # fmt: skip


def problems_of(judge: Callable[[], Any]) -> Sequence[Problem]:
    """What is refused; nothing else may be raised."""
    try:
        judge()
    except SettingsError as error:
        if error.problems:
            return error.problems
        raise
    return ()


def are_sentences(problems: Sequence[Problem]) -> bool:
    return all(problem.key and problem.rule and problem.way_out for problem in problems)


def mutated(document: Any, data: st.DataObject) -> Any:
    """The document with something deleted, doubled, retyped or renamed somewhere."""
    places = list(everywhere(document))
    if not places:
        return data.draw(VALUES)
    place = data.draw(st.sampled_from(places))
    changed = copy.deepcopy(document)
    around: Any = changed
    last: Any = place[-1]
    for part in place[:-1]:
        around = around[part]
    kind = data.draw(st.sampled_from(["delete", "double", "retype", "rename", "key of a kind"]))
    if kind == "delete":
        del around[last]
    elif kind == "double" and isinstance(around, list):
        around.append(copy.deepcopy(around[last]))
    elif kind == "rename" and isinstance(around, dict):
        name = data.draw(st.text(max_size=8) | st.sampled_from(list(around)))
        around[name] = around.pop(last)
    elif kind == "key of a kind" and isinstance(around, dict):
        # Keys that YAML may make of what is not quoted.
        name = data.draw(SCALARS)
        around[name] = around.pop(last)
    else:
        around[last] = data.draw(VALUES)
    return changed


def everywhere(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of everything in a document, but for the document itself."""
    inside = dict(enumerate(value)) if isinstance(value, list) else value
    for key, item in inside.items() if isinstance(inside, dict) else ():
        yield (*place, key)
        yield from everywhere(item, (*place, key))
