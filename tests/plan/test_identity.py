"""A name for finished work: the same for the same work, another for any other."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plan.identity import LENGTH, file_digest, identity, tree_digest

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(values)
def test_the_same_parts_have_the_same_name(value: Any) -> None:
    name = identity("step", value)
    assert name == identity("step", value)
    assert len(name) == LENGTH
    assert set(name) <= set("0123456789abcdef")


@given(values, values)
def test_other_parts_have_another_name(one: Any, other: Any) -> None:
    same = repr(one) == repr(other) or one == other
    assert same or identity(one) != identity(other)


@given(st.dictionaries(st.text(max_size=5), scalars, min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert identity(value) == identity(dict(reversed(value.items())))


def test_the_order_of_parts_matters_and_so_do_their_borders() -> None:
    assert identity("a", "b") != identity("b", "a")
    assert identity("ab", "c") != identity("a", "bc")
    assert identity(["a", "b"]) != identity("a", "b")


def test_a_name_is_known_for_good() -> None:
    # A change of this value would make every artefact of every stack anew.
    assert identity("step", {"b": 1, "a": [None, True]}) == "565a4b6527cf7ea4"


def test_a_tree_is_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b").write_text("2")
    digest = tree_digest(tmp_path)
    (tmp_path / "a").touch()
    assert tree_digest(tmp_path) == digest
    (tmp_path / "sub/b").rename(tmp_path / "sub/c")
    assert tree_digest(tmp_path) != digest
    (tmp_path / "sub/c").rename(tmp_path / "sub/b")
    part = tree_digest(tmp_path, files=("sub/b",))
    (tmp_path / "a").write_text("3")
    assert tree_digest(tmp_path) != digest
    assert tree_digest(tmp_path, files=("sub/b",)) == part


def test_a_file_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
