"""How usage and prune are told."""

from pathlib import Path

import pytest

from retention import __main__ as program
from retention.__main__ import main
from retention.items import Item, Standing
from retention.tables import prune_table, usage_table

ITEMS = [
    Item(
        kind="checkpoints",
        name="aaaa",
        bytes=3_000_000,
        standing=Standing.IN_USE,
        model="guide",
        step="sft",
    ),
    *(
        Item(
            kind="checkpoints",
            name=name,
            bytes=1_500_000,
            standing=Standing.LEFT_OVER,
            why="superseded",
            model="guide",
            step="sft",
        )
        for name in ("bbbb", "cccc")
    ),
    Item(
        kind="build cache",
        name="of the whole engine",
        bytes=2_000_000_000,
        standing=Standing.STAYS,
        why="docker builder prune",
    ),
]


def test_usage_adds_up_by_model_step_and_kind() -> None:
    lines = list(usage_table(ITEMS))
    assert lines == [
        "model  step  kind         in use      kept  stays       left over",
        "guide  sft   checkpoints  3.0 MB (1)                    3.0 MB (2)",
        "             build cache                    2.0 GB (1)",
        "             all of it    3.0 MB (1)        2.0 GB (1)  3.0 MB (2)",
        "  2.0 GB in 1 item: stays: docker builder prune",
    ]


def test_a_terminal_gets_a_bold_head_and_nothing_else() -> None:
    plain, bold = list(usage_table(ITEMS)), list(usage_table(ITEMS, is_terminal=True))
    assert bold == [f"\033[1m{plain[0]}\033[0m", *plain[1:]]


def test_prune_names_each_with_its_size_and_why() -> None:
    assert list(prune_table(ITEMS[1:3])) == [
        "kind         what            size    why",
        "checkpoints  guide sft bbbb  1.5 MB  superseded",
        "checkpoints  guide sft cccc  1.5 MB  superseded",
        "3.0 MB in 2 items",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("{}", "pulumi stack export"),
        ('{"deployment": {}}', "has not come up yet"),
    ],
)
@pytest.mark.parametrize("command", ["usage", "prune"])
def test_a_file_that_is_no_state_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    content: str | None,
    told: str,
) -> None:
    state = tmp_path / "state.json"
    if content is not None:
        state.write_text(content)
    assert main([command, str(state)]) == 1
    assert told in capsys.readouterr().err


def test_an_operator_who_stops_it_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "gone_items", stopped)
    assert main(["gone", "old"]) == 130
    assert "can be pruned again" in capsys.readouterr().err
