"""`dataset_info.json`, read back the way LLaMA-Factory reads it (D1, D2, D4)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from plan.step import DatasetRegistrationStep
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings

Register = Callable[..., tuple[dict[str, Any], DatasetRegistrationStep]]
COLUMNS = ["prompt", "query", "response", "history", "messages", "system", "tools"]
COLUMNS += ["chosen", "rejected", "kto_tag"]
TAGS = ["role_tag", "content_tag", "user_tag", "assistant_tag"]
TAGS += ["observation_tag", "function_tag", "system_tag"]


def attributes(entry: dict[str, Any]) -> dict[str, Any]:
    """`DatasetAttr.join` of LLaMA-Factory 0.9.5: where `columns` is there, no default survives."""
    found: dict[str, Any] = {
        "formatting": entry.get("formatting", "alpaca"),
        "ranking": entry.get("ranking", False),
        "prompt": "instruction",
        "query": "input",
        "response": "output",
        "messages": "conversations",
    }
    if "columns" in entry:
        found |= {name: entry["columns"].get(name) for name in COLUMNS}
    if "tags" in entry:
        found |= {name: entry["tags"].get(name) for name in TAGS}
    return found


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Registers rows as the only data set; gives what LLaMA-Factory reads, and the plan."""

    def make(rows: list[Any], stage: str = "sft", **settings: Any) -> Any:
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        run = {"stage": stage, "datasets": ["own"]}
        document = {
            "datasets": [{"name": "own", "file": "rows.json", **settings}],
            "models": [
                {
                    "name": "guide",
                    "template": "llama3",
                    "base_model": {"generate": {}},
                    "training_runs": [run, {"name": "last", "stage": "dpo", "datasets": ["own"]}]
                    if stage == "rm"
                    else [run],
                }
            ],
        }
        loaded = parse_settings(document, directory=tmp_path, source="test")
        whole = plan_pipeline(loaded, owner=Owner(stack="test"), facts=HostFacts())
        plan = whole.dataset_registration
        return attributes(json.loads(plan.info)["own"]), plan

    return make


def read_row(row: dict[str, Any], read: dict[str, Any]) -> None:
    """Every column that is named is looked up with [] by the converters: it has to be there."""
    for name in COLUMNS:
        if read[name] is not None:
            assert read[name] in row


class TestAlpaca:
    ROW = {"instruction": "a", "input": "b", "output": "c"}

    def test_every_column_is_named_because_naming_one_drops_the_defaults(
        self, register: Register
    ) -> None:
        read, _ = register([self.ROW])
        assert (read["prompt"], read["query"], read["response"]) == (
            "instruction",
            "input",
            "output",
        )
        read_row(self.ROW, read)

    def test_a_column_that_no_row_has_is_not_named(self, register: Register) -> None:
        row = {"instruction": "a", "output": "c"}
        read, _ = register([row])
        assert read["query"] is None
        read_row(row, read)

    def test_own_names(self, register: Register) -> None:
        row = {"q": "a", "a": "c", "persona": "p", "before": [["x", "y"]], "fns": "[]"}
        columns = {
            "prompt": "q",
            "response": "a",
            "system": "persona",
            "history": "before",
            "tools": "fns",
        }
        read, _ = register([row], columns=columns)
        assert {key: read[key] for key in columns} == columns
        read_row(row, read)

    def test_ranked(self, register: Register) -> None:
        row = {"instruction": "a", "better": "b", "worse": "c"}
        columns = {"chosen": "better", "rejected": "worse"}
        read, _ = register([row], stage="rm", ranking=True, columns=columns)
        assert read["ranking"] is True
        assert (read["chosen"], read["rejected"], read["response"]) == ("better", "worse", None)
        read_row(row, read)

    def test_judged(self, register: Register) -> None:
        row = {"instruction": "a", "output": "b", "good": False}
        read, _ = register([row], stage="kto", columns={"kto_tag": "good"})
        assert (read["kto_tag"], read["response"]) == ("good", "output")
        read_row(row, read)

    def test_texts_alone(self, register: Register) -> None:
        read, _ = register([{"text": "words"}], stage="pt", columns={"prompt": "text"})
        assert (read["prompt"], read["response"]) == ("text", None)


class TestShareGpt:
    def test_the_guides_word_becomes_llama_factorys(self, register: Register) -> None:
        rows = [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]
        read, plan = register(rows, format="sharegpt")
        assert read["formatting"] == "sharegpt"
        assert read["messages"] == "conversations"
        assert '"format"' not in plan.info

    def test_tags_are_all_there_because_naming_one_drops_the_defaults(
        self, register: Register
    ) -> None:
        rows = [{"talk": [{"role": "user", "value": "a"}, {"role": "gpt", "value": "b"}]}]
        read, _ = register(
            rows,
            formatting="sharegpt",
            columns={"messages": "talk"},
            tags={"role_tag": "role", "user_tag": "user"},
        )
        assert {tag: read[tag] for tag in TAGS} == {
            "role_tag": "role",
            "content_tag": "value",
            "user_tag": "user",
            "assistant_tag": "gpt",
            "observation_tag": "observation",
            "function_tag": "function_call",
            "system_tag": "system",
        }


class TestPlace:
    def test_a_file_lies_where_any_dataset_dir_finds_it(self, register: Register) -> None:
        _, plan = register([TestAlpaca.ROW])
        (dataset,) = plan.files
        # os.path.join(dataset_dir, file_name) is file_name when that is absolute.
        assert json.loads(plan.info)["own"]["file_name"] == dataset.target
        assert dataset.target == f"/app/data/files/{dataset.digest[:16]}/own.json"

    def test_other_content_never_overwrites(self, register: Register) -> None:
        _, before = register([TestAlpaca.ROW])
        _, after = register([TestAlpaca.ROW | {"output": "d"}])
        assert before.files[0].target != after.files[0].target
        assert before.identity != after.identity
        assert before.marker != after.marker

    def test_other_languages_stay_readable(self, register: Register) -> None:
        row = {"問": "a", "output": "b"}
        _, plan = register([row], columns={"prompt": "問"})
        assert "問" in plan.info
