"""Settings of data sets: sources, columns and tags, and what is said about them (D1-D6)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plan.problem import Problem
from stack_configs.settings.data_files.layout import Layout, Tags
from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.loader import parse_settings

Find = Callable[[Any], list[Problem]]


class TestFile:
    def dataset(self, directory: Path, rows: Any, **settings: Any) -> dict[str, Any]:
        (directory / "own.json").write_text(json.dumps(rows))
        return {"name": "own", "file": "own.json", **settings}

    def test_the_message_names_key_file_row_and_column(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": "a", "output": "b"}, {"instruction": "a"}]
        document["datasets"].append(self.dataset(directory, rows))
        (problem,) = problems_of(document)
        assert problem.key == "datasets[1]"
        assert problem.rule == (
            "file own.json cannot be trained on: row 2 has no text in column 'output'"
        )
        assert "columns" in problem.way_out

    def test_a_missing_file_is_named(self, document: dict[str, Any], problems_of: Find) -> None:
        document["datasets"][0]["file"] = "data/none.json"
        (problem,) = problems_of(document)
        assert problem.rule == "file data/none.json does not exist"

    def test_columns_that_no_row_has_are_a_mistake(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"question": "a", "answer": "b"}]
        columns = {"prompt": "question", "response": "answr", "system": "persona"}
        document["datasets"].append(self.dataset(directory, rows, columns=columns))
        (problem,) = problems_of(document)
        assert problem.rule == "file own.json has no row with the column 'answr', 'persona'"

    def test_own_columns_and_tags(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"talk": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}]
        document["datasets"].append(
            self.dataset(
                directory,
                rows,
                format="sharegpt",
                columns={"messages": "talk"},
                tags={
                    "role_tag": "role",
                    "content_tag": "content",
                    "user_tag": "user",
                    "assistant_tag": "bot",
                },
            )
        )
        assert problems_of(document) == []

    @pytest.mark.parametrize("key", ["format", "formatting"])
    def test_either_word_for_the_format_is_understood(
        self, document: dict[str, Any], directory: Path, key: str
    ) -> None:
        document["datasets"].append({"name": "chat", "file": "sharegpt.json", key: "sharegpt"})
        settings = parse_settings(document, directory=directory, source="test")
        assert settings.datasets[1].formatting == "sharegpt"

    def test_a_plan_does_not_depend_on_the_working_directory(
        self, document: dict[str, Any], directory: Path
    ) -> None:
        settings = parse_settings(document, directory=directory, source="test")
        assert settings.datasets[0].file == directory / "alpaca.json"

    def test_a_file_that_is_no_data_file(self, document: dict[str, Any], problems_of: Find) -> None:
        document["datasets"][0]["file"] = "alpaca.xlsx"
        (problem,) = problems_of(document)
        assert problem.rule == "file alpaca.xlsx does not exist"


def dataset(**settings: Any) -> DatasetSettings:
    """As an operator writes it; no file is looked at."""
    return DatasetSettings.model_validate({"name": "own", **settings})


class TestSource:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"file": "a.json", "hf_hub_url": "o/n"},
            {"hf_hub_url": "o/n", "ms_hub_url": "o/n"},
        ],
    )
    def test_there_is_one(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="needs one source of rows"):
            dataset(**settings)

    @pytest.mark.parametrize("name", ["gpt2", "https://hub/o/n", "o/n@main", "../n"])
    def test_a_hub_id_has_two_parts(self, name: str) -> None:
        with pytest.raises(ValidationError, match="hf_hub_url"):
            dataset(hf_hub_url=name)

    @pytest.mark.parametrize("key", ["subset", "folder"])
    def test_parts_are_a_hubs(self, key: str) -> None:
        dataset(hf_hub_url="o/n", **{key: "part"})
        with pytest.raises(ValidationError, match="subset and folder are of a hub's data set"):
            dataset(file="a.json", **{key: "part"})

    def test_media_need_their_folder_and_it_needs_them(self) -> None:
        with pytest.raises(ValidationError, match="media_dir does not say where they are"):
            dataset(file="a.json", columns={"audios": "sounds"})
        with pytest.raises(ValidationError, match="no column of a file names images"):
            dataset(file="a.json", media_dir="media")
        dataset(hf_hub_url="o/n", columns={"images": "pictures"})

    def test_a_media_folder_that_is_not_there(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["datasets"][0] |= {"media_dir": "media", "columns": {"images": "pictures"}}
        (problem,) = problems_of(document)
        assert problem.rule == "media_dir media is no folder"

    def test_paths_are_absolute(self, document: dict[str, Any], directory: Path) -> None:
        (directory / "media").mkdir()
        rows = [{"instruction": "a", "output": "b", "pictures": None}]
        (directory / "seen.json").write_text(json.dumps(rows))
        document["datasets"] = [
            {"name": "alpaca", "file": "seen.json", "media_dir": "media",
             "columns": {"images": "pictures"}}
        ]  # fmt: skip
        (settings,) = parse_settings(document, directory=directory, source="test").datasets
        assert (settings.file, settings.media_dir) == (directory / "seen.json", directory / "media")


class TestLayout:
    def test_of_questions_and_answers(self) -> None:
        assert dataset(file="a.json").layout == Layout(
            prompt="instruction", query="input", response="output", response_is_optional=True
        )

    def test_of_texts(self) -> None:
        assert dataset(file="a.txt").layout.prompt == "text"

    def test_of_rankings(self) -> None:
        layout = dataset(file="a.json", ranking=True, columns={"chosen": "best"}).layout
        assert (layout.ranked, layout.response) == (("best", "rejected"), None)
        assert layout.declared == ("best",)

    def test_tags_are_those_of_the_format(self) -> None:
        assert dataset(file="a.json", formatting="sharegpt").layout.tags == Tags()
        openai = dataset(file="a.json", formatting="openai", tags={"user_tag": "me"}).layout
        assert openai.messages == "messages"
        assert openai.tags == Tags(
            role="role", content="content", user="me", assistant="assistant", observation="tool"
        )


class TestAnswers:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"file": "a.parquet"}, True),
            ({"hf_hub_url": "o/n"}, True),
            ({"hf_hub_url": "o/n", "columns": {"prompt": "text"}}, False),
            ({"hf_hub_url": "o/n", "columns": {"prompt": "q", "response": "a"}}, True),
            ({"hf_hub_url": "o/n", "formatting": "sharegpt"}, True),
            ({"hf_hub_url": "o/n", "ranking": True}, True),
        ],
    )
    def test_of_rows_that_nobody_has_read(self, settings: Any, expected: bool) -> None:
        assert dataset(**settings).has_answers is expected


class TestUse:
    """Data sets and what is made from them."""

    def test_a_generated_model_needs_a_file(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["models"][0]["base_model"] = {"generate": {}}
        assert problems_of(document) == []
        document["datasets"] = [{"name": "alpaca", "hf_hub_url": "o/n"}]
        (problem,) = problems_of(document)
        assert problem.key == "models[0].base_model.generate"
        assert "all of them are on a hub" in problem.rule
        document["models"][0]["base_model"] = {"generate": {"family": "llama-3"}}
        document["models"][0]["template"] = "llama3"
        assert problems_of(document) == [], "a family brings its vocabulary"

    def test_media_of_two_data_sets_lie_in_one_folder(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": "<image>", "output": "b", "pictures": "deep/a.png"}]
        document["datasets"] = []
        for name in ("one", "two"):
            (directory / name / "deep").mkdir(parents=True)
            (directory / name / "deep/a.png").write_text(name)
            (directory / f"{name}.json").write_text(json.dumps(rows))
            document["datasets"].append(
                {"name": name, "file": f"{name}.json", "media_dir": name,
                 "columns": {"images": "pictures"}}
            )  # fmt: skip
        document["models"][0]["training_runs"] = [{"datasets": ["one", "two"]}]
        (problem,) = problems_of(document)
        assert problem.key == "models[0].training_runs[0].datasets"
        assert "hold a file 'deep/a.png'" in problem.rule
        document["datasets"][1]["media_dir"] = "one"
        assert problems_of(document) == []
