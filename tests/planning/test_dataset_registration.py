"""`dataset_info.json`, read back the way LLaMA-Factory reads it (D1, D2, D4)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.host import HostFacts
from plan.identity import tree_digest
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.step import DatasetRegistrationStep
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings
from tests.planning.conftest import step_of

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


class TestOpenAi:
    def test_columns_and_tags_of_the_format(self, register: Register) -> None:
        rows = [
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
        ]
        read, _ = register(rows, formatting="openai")
        assert (read["formatting"], read["messages"]) == ("openai", "messages")
        assert [read[tag] for tag in TAGS] == [
            *("role", "content", "user", "assistant", "tool", "function_call", "system")
        ]


ROWS = [{"instruction": "a", "output": "b"}]


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., PipelinePlan]:
    """The plan of a model that is trained on one data set, and on a plain one."""
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))

    def make(**settings: Any) -> PipelinePlan:
        document = {
            "datasets": [
                {"name": "plain", "file": "rows.json"},
                {"name": "own", **settings},
            ],
            "models": [
                {
                    "name": "guide",
                    "template": "llama3",
                    "base_model": {"generate": {}},
                    "training_runs": [{"datasets": ["own", "plain"]}],
                }
            ],
        }
        loaded = parse_settings(document, directory=tmp_path, source="test")
        return plan_pipeline(loaded, owner=Owner(stack="test"), facts=HostFacts())

    return make


def entry_of(plan: PipelinePlan) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(plan.dataset_registration.info)["own"]
    return entry


class TestHub:
    def test_it_is_named_and_nothing_is_sent(self, plan_of: Callable[..., PipelinePlan]) -> None:
        settings = {"subset": "en", "split": "test", "folder": "data", "num_samples": 3}
        plan = plan_of(hf_hub_url="acme/far", **settings)
        assert entry_of(plan) == {"hf_hub_url": "acme/far", "formatting": "alpaca", **settings}
        assert [file.name for file in plan.dataset_registration.files] == ["plain"]

    def test_the_defaults_stand_where_no_column_is_named(
        self, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        assert "columns" not in entry_of(plan_of(ms_hub_url="acme/far"))
        named = entry_of(plan_of(ms_hub_url="acme/far", columns={"response": "answer"}))
        assert named["columns"] == {"prompt": "instruction", "response": "answer"}

    def test_its_run_may_look_at_the_hub(self, plan_of: Callable[..., PipelinePlan]) -> None:
        for settings, offline in (
            ({"hf_hub_url": "acme/far"}, False),
            ({"file": "rows.json"}, True),
        ):
            run = step_of(plan_of(**settings).models[0], "training-run")
            assert ("HF_HUB_OFFLINE" in run.container.environment) is offline
            assert ("HF_TOKEN" in run.secret_environment) is not offline

    def test_a_generated_model_is_made_of_the_files(
        self, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        uploads = step_of(plan_of(hf_hub_url="acme/far").models[0], "base-model").uploads
        assert [name for name in uploads if name.startswith("data/")] == ["data/plain.json"]


class TestTables:
    def test_columns_are_those_that_are_named(
        self, tmp_path: Path, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        (tmp_path / "rows.parquet").write_bytes(b"PAR1....PAR1")
        assert "columns" not in entry_of(plan_of(file="rows.parquet"))
        named = plan_of(file="rows.parquet", formatting="sharegpt", columns={"tools": "t"})
        assert entry_of(named)["columns"] == {"messages": "conversations", "tools": "t"}


class TestFolders:
    def test_a_folder_of_rows(self, tmp_path: Path, plan_of: Callable[..., PipelinePlan]) -> None:
        (tmp_path / "many").mkdir()
        for name in ("b.jsonl", "a.jsonl"):
            (tmp_path / "many" / name).write_text(json.dumps(ROWS[0]))
        plan = plan_of(file="many")
        digest = tree_digest(tmp_path / "many")
        assert entry_of(plan)["file_name"] == f"/app/data/files/{digest[:16]}/own"
        uploads = step_of(plan.models[0], "base-model").uploads
        assert [name for name in uploads if "own" in name] == [
            "data/own/a.jsonl",
            "data/own/b.jsonl",
        ]

    @pytest.fixture
    def seen(self, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "media").mkdir()
        (tmp_path / "media/a.png").write_bytes(b"a")
        row = {"instruction": "<image>", "output": "b", "pictures": ["a.png"]}
        (tmp_path / "seen.json").write_text(json.dumps([row]))
        return {"file": "seen.json", "columns": {"images": "pictures"}, "media_dir": "media"}

    def test_a_folder_of_media(
        self, tmp_path: Path, plan_of: Callable[..., PipelinePlan], seen: dict[str, Any]
    ) -> None:
        plan = plan_of(**seen)
        (media,) = [file for file in plan.dataset_registration.files if "media" in file.target]
        assert media.digest == tree_digest(tmp_path / "media")
        assert media.target == f"/app/data/media/{media.digest[:16]}"
        run = step_of(plan.models[0], "training-run")
        folder = f"{run.partial}/media"
        assert yaml.safe_load(run.files["train.yaml"])["media_dir"] == folder
        assert f"cp -rs {media.target}/. {folder}" in " ".join(run.container.command)

    def test_another_picture_is_registered_and_trained(
        self, tmp_path: Path, plan_of: Callable[..., PipelinePlan], seen: dict[str, Any]
    ) -> None:
        before = plan_of(**seen)
        (tmp_path / "media/a.png").write_bytes(b"b")
        after = plan_of(**seen)
        assert before.dataset_registration.info == after.dataset_registration.info
        assert before.dataset_registration.identity != after.dataset_registration.identity
        first, second = (step_of(p.models[0], "training-run").identity for p in (before, after))
        assert first != second


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
