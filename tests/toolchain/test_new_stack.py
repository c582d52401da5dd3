"""`make new`: two files, from a copy that reads as its origin does, and nothing overwritten."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from stack_configs.settings.loader import load_settings
from toolchain.errors import ToolchainError
from toolchain.new_stack import copied, new
from toolchain.places import REPOSITORY, Places, places_from

CONFIGS = REPOSITORY / "stack_configs"
ORIGINS = sorted(
    str(path.relative_to(CONFIGS).with_suffix(""))
    for path in [*CONFIGS.glob("*.yaml"), *CONFIGS.glob("examples/*.yaml")]
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A repository with the settings, and nothing else."""
    folder = tmp_path / "project"
    folder.mkdir()
    for path in REPOSITORY.glob("Pulumi*.yaml"):
        shutil.copy(path, folder)
    shutil.copytree(
        CONFIGS, folder / "stack_configs", ignore=shutil.ignore_patterns("settings", "__pycache__")
    )
    return places_from({"HOME": str(tmp_path)}, folder)


def everything(places: Places) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in places.repository.rglob("*") if path.is_file()}


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_copy_says_what_its_origin_says(places: Places, origin: str) -> None:
    before = everything(places)

    assert new(places, "prod", origin) == 0

    settings = places.repository / "stack_configs/prod.yaml"
    config = places.repository / "Pulumi.prod.yaml"
    after = everything(places)
    assert after.keys() - before.keys() == {settings, config}
    assert {path: after[path] for path in before} == before
    assert yaml.safe_load(config.read_text()) == {"config": {"finetune-stack:stack_config": "prod"}}
    first = settings.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema.json"
    # Data files too: what is loaded has them by their whole paths.
    assert load_settings(settings) == load_settings(
        places.repository / f"stack_configs/{origin}.yaml"
    )


def test_comments_stay(places: Places) -> None:
    new(places, "prod", "examples/two-models")
    comments = [
        line.partition("#")[2]
        for line in (CONFIGS / "examples/two-models.yaml").read_text().splitlines()[1:]
        if "#" in line
    ]
    copy = (places.repository / "stack_configs/prod.yaml").read_text()
    assert comments
    assert all(comment in copy for comment in comments)


def test_a_stack_is_copied_by_the_file_that_it_names(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = (CONFIGS / "dev.yaml").read_text().replace("data/", "own data/")
    (elsewhere / "team.yaml").write_text(text)
    shutil.copytree(CONFIGS / "data", elsewhere / "own data")
    (places.repository / "Pulumi.team.yaml").write_text(
        f"config:\n  finetune-stack:stack_config: {elsewhere / 'team.yaml'}\n"
    )

    new(places, "prod", "team")

    settings = places.repository / "stack_configs/prod.yaml"
    assert load_settings(settings) == load_settings(elsewhere / "team.yaml")
    assert 'file: "../../elsewhere/own data/stack_questions.json"' in settings.read_text()


def test_paths_in_anchors_quotes_and_merges_are_kept_right(tmp_path: Path) -> None:
    origin = tmp_path / "a" / "b.yaml"
    origin.parent.mkdir()
    origin.write_text(
        "x-d: &d {file: 'one.json', ranking: true} # kept\n"
        "datasets:\n"
        "  - {name: a, <<: *d}\n"
        "  - {name: b, <<: [*d]}\n"
        '  - {name: c, file: "/abs.json"}\n'
        "  - name: d\n"
        "    file: ./two.json # kept too\n"
        "images: {certificate_authority: ca.pem}\n"
        "models: [{file: untouched.json}]\n"
    )
    text = copied(origin, tmp_path / "prod.yaml", tmp_path / "schema.json")
    assert text == (
        "# yaml-language-server: $schema=schema.json\n"
        "x-d: &d {file: a/one.json, ranking: true} # kept\n"
        "datasets:\n"
        "  - {name: a, <<: *d}\n"
        "  - {name: b, <<: [*d]}\n"
        '  - {name: c, file: "/abs.json"}\n'
        "  - name: d\n"
        "    file: a/two.json # kept too\n"
        "images: {certificate_authority: a/ca.pem}\n"
        "models: [{file: untouched.json}]\n"
    )


@pytest.mark.parametrize(
    ("stack", "origin", "words"),
    [
        ("dev", "demo", ["Pulumi.dev.yaml", "stack_configs/dev.yaml", "nothing is overwritten"]),
        ("Prod", "dev", ["STACK is 'Prod'", "lower-case", "make new STACK=prod"]),
        ("my_prod", "dev", ["STACK is 'my_prod'", "lower-case"]),
        ("../prod", "dev", ["STACK is '../prod'"]),
        ("p" * 41, "dev", ["40 of them at most"]),
        ("", "dev", ["STACK is ''"]),
        ("prod", "stage", ["FROM is 'stage'", "no stack_configs/stage.yaml", "demo", "dev"]),
        ("prod", "examples/none", ["FROM is 'examples/none'", "examples/qlora-12gb"]),
    ],
)
def test_a_wrong_word_is_told_and_nothing_is_written(
    places: Places, stack: str, origin: str, words: list[str]
) -> None:
    before = everything(places)
    with pytest.raises(ToolchainError) as caught:
        new(places, stack, origin)
    for word in words:
        assert word in str(caught.value)
    assert everything(places) == before


def test_half_a_stack_is_not_overwritten_either(places: Places) -> None:
    (places.repository / "Pulumi.prod.yaml").write_text("config: {}\n")
    with pytest.raises(ToolchainError, match=r"Pulumi\.prod\.yaml is there already"):
        new(places, "prod", "dev")
    assert not (places.repository / "stack_configs/prod.yaml").exists()


def test_what_comes_next_is_said(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    new(places, "prod", "dev")
    said = capsys.readouterr().out
    assert (
        "Wrote stack_configs/prod.yaml, from stack_configs/dev.yaml, and Pulumi.prod.yaml" in said
    )
    for step in ("Edit stack_configs/prod.yaml", "make preview STACK=prod", "make up STACK=prod"):
        assert step in said
    assert "ports of their own" in said


def test_make_names_it_and_hands_it_both_words() -> None:
    said = subprocess.run(
        ["make", "-s", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert "make new STACK=prod FROM=dev" in said
    planned = subprocess.run(
        ["make", "-n", "new", "STACK=prod", "FROM=examples/kto"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "new 'prod' 'examples/kto'" in planned
