"""The one codec: what is sent arrives, what is not known is passed over, what is wrong is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.codec import DecodeError, as_json, decode, encode

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Inner:
    name: str
    size: float = 1.5


@dataclass(frozen=True, kw_only=True)
class Everything:
    text: str
    number: int
    flag: bool
    kind: Literal["one", "other"]
    inner: Inner
    maybe: str | None = None
    maybe_inner: Inner | None = None
    share: float = 0.0
    count: int | Literal["all"] = "all"
    names: tuple[str, ...] = ()
    inners: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    rows: tuple[Mapping[str, str], ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True, kw_only=True)
class Envelope(Generic[T]):
    stamp: str
    content: T


LEAST: dict[str, Any] = {
    "text": "a",
    "number": 1,
    "flag": True,
    "kind": "one",
    "inner": {"name": "i"},
}
"""What has no default."""

texts = st.text(max_size=8)
numbers = st.integers(-(2**53), 2**53)
floats = st.floats(allow_nan=False, allow_infinity=False)
inners = st.builds(Inner, name=texts, size=floats)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
everything = st.builds(
    Everything,
    text=texts,
    number=numbers,
    flag=st.booleans(),
    kind=st.sampled_from(["one", "other"]),
    inner=inners,
    maybe=st.none() | texts,
    maybe_inner=st.none() | inners,
    share=floats,
    count=numbers | st.just("all"),
    names=st.lists(texts, max_size=3).map(tuple),
    inners=st.lists(inners, max_size=3).map(tuple),
    by_name=st.dictionaries(texts, inners, max_size=3),
    rows=st.lists(st.dictionaries(texts, texts, max_size=2), max_size=2).map(tuple),
    figures=st.dictionaries(texts, json_values, max_size=3),
    anything=json_values,
)


class TestRoundTrip:
    @given(everything)
    def test_what_is_sent_arrives(self, value: Everything) -> None:
        assert decode(Everything, encode(value)) == value

    @given(everything)
    def test_the_same_value_is_the_same_text(self, value: Everything) -> None:
        assert encode(value) == encode(decode(Everything, encode(value)))

    @given(inners)
    def test_a_generic_holds_what_it_is_asked_for(self, inner: Inner) -> None:
        sent = Envelope(stamp="now", content=inner)
        assert decode(Envelope[Inner], encode(sent)) == sent

    def test_it_is_one_line_of_plain_json(self) -> None:
        text = encode(Inner(name="zwei\nZeilen, 問"))
        assert json.loads(text) == {"name": "zwei\nZeilen, 問", "size": 1.5}
        assert "\n" not in text
        assert "問" in text

    def test_bytes_are_read_as_well(self) -> None:
        assert decode(Inner, encode(Inner(name="問")).encode()) == Inner(name="問")

    def test_a_whole_number_is_a_figure_too(self) -> None:
        read = decode(Inner, '{"name": "a", "size": 2}')
        assert read == Inner(name="a", size=2.0)
        assert type(read.size) is float

    def test_a_bare_mapping_is_written_like_any_value(self) -> None:
        assert as_json({"a": (1, Inner(name="b"))}) == {"a": [1, {"name": "b", "size": 1.5}]}


class TestOtherVersions:
    def test_what_is_not_there_has_its_default(self) -> None:
        read = decode(Everything, json.dumps(LEAST))
        expected = Everything(text="a", number=1, flag=True, kind="one", inner=Inner(name="i"))
        assert read == expected

    def test_what_nobody_knows_is_passed_over(self) -> None:
        newer = LEAST | {"colour": "red", "inner": {"name": "i", "weight": 3}}
        assert decode(Everything, json.dumps(newer)) == decode(Everything, json.dumps(LEAST))

    def test_a_subclass_is_read_as_what_is_asked_for(self) -> None:
        @dataclass(frozen=True, kw_only=True)
        class More(Inner):
            extra: int

        assert decode(Inner, encode(More(name="a", extra=1))) == Inner(name="a")


class TestErrors:
    @pytest.mark.parametrize("text", ["", "{", "not json", b"\xff"])
    def test_what_is_no_json(self, text: str | bytes) -> None:
        with pytest.raises(DecodeError, match="it is no JSON"):
            decode(Inner, text)

    @pytest.mark.parametrize("name", LEAST)
    def test_what_is_missing(self, name: str) -> None:
        document = {key: value for key, value in LEAST.items() if key != name}
        with pytest.raises(DecodeError, match=f"it has no '{name}'"):
            decode(Everything, json.dumps(document))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"text": 3}, "text is 3, which is no str"),
            ({"number": "3"}, "number is '3', which is no int"),
            # Python's bool is an int; a flag in a number's place is a mistake all the same.
            ({"number": True}, "number is True, which is no int"),
            ({"number": 1.5}, "number is 1.5, which is no int"),
            ({"flag": 1}, "flag is 1, which is no bool"),
            ({"kind": "third"}, "kind is 'third', which is none of ('one', 'other')"),
            ({"kind": ["one"]}, "kind is ['one'], which is none of ('one', 'other')"),
            ({"inner": "i"}, "inner is 'i', which is no dict"),
            ({"inner": {"size": 1}}, "it has no 'inner.name'"),
            ({"inner": {"name": "i", "size": "1"}}, "inner.size is '1', which is no float"),
            ({"maybe": 3}, "maybe is 3, which is no str and maybe is 3, which is no NoneType"),
            ({"names": "ab"}, "names is 'ab', which is no list"),
            ({"names": ["a", None]}, "names[1] is None, which is no str"),
            ({"inners": [{"name": "a"}, {}]}, "it has no 'inners[1].name'"),
            ({"by_name": {"b": {"name": 1}}}, "by_name.b.name is 1, which is no str"),
            ({"rows": [{"a": "b"}, {"a": 1}]}, "rows[1].a is 1, which is no str"),
        ],
    )
    def test_what_is_of_another_type_is_told_with_its_place(
        self, change: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(DecodeError) as caught:
            decode(Everything, json.dumps(LEAST | change))
        assert str(caught.value) == message

    @pytest.mark.parametrize("document", ["[]", "3", "null", '"text"'])
    def test_a_document_that_is_no_object(self, document: str) -> None:
        with pytest.raises(DecodeError, match=r"^it is .*, which is no dict$"):
            decode(Everything, document)

    def test_an_error_inside_a_generic_has_its_place(self) -> None:
        with pytest.raises(DecodeError, match=r"^it has no 'content\.name'$"):
            decode(Envelope[Inner], '{"stamp": "now", "content": {}}')
