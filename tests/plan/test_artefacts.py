"""Which artefacts are superseded, and how many of those stay."""

import pytest

from plan.artefacts import Artefact, beyond_keep, is_referred, read_artefact, superseded
from plan.codec import encode
from plan.marker import ArtefactMarker
from plan.paths import MARKER
from plan.references import References
from plan.survey import FoundFolder

RUNS = "/app/output/runs"


def artefact(name: str, *, age: float = 0, step: str = "s-sft", stack: str = "s") -> Artefact:
    return Artefact(
        path=f"{RUNS}/{name}",
        identity=name.partition(".")[0],
        bytes=10,
        modified=1000 - age,
        step=step,
        stack=stack,
    )


NOW = artefact("now")
EARLIER = [artefact(f"earlier{age}", age=age) for age in (1, 2, 3)]
MERGED = artefact("merged", step="s-merge")
OTHERS = [artefact("other", stack="t"), artefact("nobody", step="", stack="")]
UNFINISHED = [artefact("begun.partial"), artefact("going.removed")]
EVERYTHING = [EARLIER[2], MERGED, *OTHERS, EARLIER[0], NOW, *UNFINISHED, EARLIER[1]]


def test_the_last_one_that_was_made_comes_first() -> None:
    found = superseded(EVERYTHING, "s", References(paths=(NOW.path,)))
    assert found == {"s-sft": EARLIER, "s-merge": [MERGED]}


@pytest.mark.parametrize(("keep", "gone"), [(0, 3), (1, 2), (3, 0), (9, 0)])
def test_so_many_of_each_step_stay(keep: int, gone: int) -> None:
    references = References(paths=(NOW.path,), keep={"s-sft": keep})
    assert list(beyond_keep(EVERYTHING, "s", references)) == EARLIER[3 - gone :]


def test_without_a_number_all_stay() -> None:
    assert list(beyond_keep(EVERYTHING, "s", References(paths=(NOW.path,)))) == []


@pytest.mark.parametrize(
    ("path", "referred"),
    [
        (f"{RUNS}/a", True),
        (f"{RUNS}/ab", False),
        ("/app/data/files/1234", True),
        ("/app/data/files/123", False),
        # The settings take a base model out of an earlier run.
        (f"{RUNS}/mine", True),
        (f"{RUNS}/mine/deeper/still", True),
    ],
)
def test_a_folder_is_referred_to_by_what_is_in_it_and_by_what_it_is_in(
    path: str, *, referred: bool
) -> None:
    paths = (f"{RUNS}/a", "/app/data/files/1234/rows.json", f"{RUNS}/mine/deeper")
    assert is_referred(path, References(paths=paths)) is referred


@pytest.mark.parametrize("name", ["0123abcd", "0123abcd.partial", "0123abcd.removed"])
def test_a_folder_says_what_it_is(name: str) -> None:
    marker = ArtefactMarker(identity="0123abcd", step="s-sft", stack="s")
    texts = {MARKER: encode(marker)}
    folder = FoundFolder(path=f"{RUNS}/{name}", bytes=7, modified=5, texts=texts)
    read = read_artefact(folder)
    assert (read.identity, read.step, read.stack, read.bytes) == ("0123abcd", "s-sft", "s", 7)
    assert read.finished_path == f"{RUNS}/0123abcd"
    assert (read.is_partial, read.is_removed) == ("partial" in name, "removed" in name)


def test_a_marker_that_was_cut_off_tells_nothing() -> None:
    folder = FoundFolder(path=f"{RUNS}/0123", bytes=7, modified=5, texts={MARKER: '{"iden'})
    assert (read_artefact(folder).step, read_artefact(folder).stack) == ("", "")
