"""Sections that are right by themselves and yet do not fit together."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.problem import Problem

Find = Callable[[Any], list[Problem]]
RUN = "models[0].training_runs[0]"


def runs(document: dict[str, Any], *settings: dict[str, Any]) -> dict[str, Any]:
    document["models"][0]["training_runs"] = [{"datasets": ["alpaca"], **run} for run in settings]
    return document


class TestNames:
    def test_two_models_with_one_name(self, document: dict[str, Any], problems_of: Find) -> None:
        document["models"] *= 2
        (problem,) = problems_of(document)
        assert problem == Problem(
            "models[1].name",
            "'guide'",
            "models[0] has that name already",
            "Give each a name of its own",
        )

    @pytest.mark.parametrize("name", ["guide", "guide:latest"])
    def test_two_models_served_under_one_name(
        self, document: dict[str, Any], problems_of: Find, name: str
    ) -> None:
        second = copy.deepcopy(document["models"][0])
        second |= {"name": "other", "ollama_model": {"name": name}}
        document["models"].append(second)
        (problem,) = problems_of(document)
        assert problem.key == "models[1].ollama_model.name"
        assert problem.value == "'guide:latest'"

    def test_one_name_with_two_tags_is_two_models(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        second = copy.deepcopy(document["models"][0])
        second |= {"name": "other", "ollama_model": {"name": "guide:small"}}
        document["models"].append(second)
        assert problems_of(document) == []

    def test_a_model_is_published_to_a_registry_under_a_name_of_its_own(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["models"][0]["ollama_model"] = {"publish": "team/guide"}
        (nowhere,) = problems_of(document)
        assert nowhere.key == "models[0].ollama_model.publish"
        assert nowhere.way_out == "Set registry.host"
        document["registry"] = {"host": "registry.example.org"}
        second = copy.deepcopy(document["models"][0])
        second |= {"name": "other", "ollama_model": {"name": "b", "publish": "team/guide:v2"}}
        document["models"].append(second)
        assert problems_of(document) == []
        second["ollama_model"]["publish"] = "team/guide:latest"
        (twice,) = problems_of(document)
        assert twice.key == "models[1].ollama_model.publish"
        assert twice.rule == "models[0] is published under that name already"

    def test_two_data_sets_with_one_name(self, document: dict[str, Any], problems_of: Find) -> None:
        document["datasets"] *= 2
        assert [problem.key for problem in problems_of(document)] == ["datasets[1].name"]

    @pytest.mark.parametrize("name", ["merge", "base-model", "gguf-conversion", "ollama-model"])
    def test_a_run_cannot_be_called_as_another_step(
        self, document: dict[str, Any], problems_of: Find, name: str
    ) -> None:
        (problem,) = problems_of(runs(document, {"name": name}))
        assert f"called {name}" in problem.rule

    def test_two_runs_with_one_name(self, document: dict[str, Any], problems_of: Find) -> None:
        (problem,) = problems_of(runs(document, {"name": "a"}, {"name": "a"}))
        assert "two training runs are called a" in problem.rule


def test_two_services_on_one_port(document: dict[str, Any], problems_of: Find) -> None:
    document |= {"board": {"port": 9000}, "ollama_server": {"port": 9000}}
    (problem,) = problems_of(document)
    assert (problem.key, problem.value) == ("board.port", "9000")
    document["board"]["enabled"] = False
    assert problems_of(document) == []
    document["api"] = {"enabled": True, "port": 9000}
    (problem,) = problems_of(document)
    assert (problem.key, problem.rule) == ("api.port", "ollama_server.port is the same")


def test_a_rank_that_no_node_has(document: dict[str, Any], problems_of: Find) -> None:
    document["host"] = {"cluster": {"nodes": 2, "rank": 2, "master_address": "10.0.0.1"}}
    (problem,) = problems_of(document)
    assert (problem.key, problem.rule) == ("host.cluster", "rank 2 is none of 2 nodes")


def test_superseded_artefacts_of_hosts_that_share_a_directory(
    document: dict[str, Any], problems_of: Find
) -> None:
    cluster = {"nodes": 2, "rank": 0, "master_address": "10.0.0.1"}
    document["models"][0]["keep"] = 1
    document["volumes"] = {"output": {"host_path": "/srv/output"}}
    assert problems_of(document) == []
    document["host"] = {**document.get("host", {}), "cluster": cluster}
    (problem,) = problems_of(document)
    assert (problem.key, problem.value) == ("models[0].keep", "1")
    del document["volumes"]
    assert problems_of(document) == []


class TestApi:
    def test_a_model_that_is_not_declared(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["api"] = {"enabled": True, "model": "nobody"}
        (problem,) = problems_of(document)
        assert (problem.key, problem.value) == ("api.model", "'nobody'")

    def test_of_several_models_one_must_be_named(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["models"].append(document["models"][0] | {"name": "second"})
        document["api"] = {"enabled": True}
        (problem,) = problems_of(document)
        assert "required where there are several models" in problem.rule
        document["api"]["model"] = "second"
        assert problems_of(document) == []


class TestData:
    def test_a_data_set_that_is_not_declared(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        (problem,) = problems_of(runs(document, {"datasets": ["alpaca", "alpaka"]}))
        assert (problem.key, problem.value) == (f"{RUN}.datasets[1]", "'alpaka'")
        assert "alpaca" in problem.way_out

    @pytest.fixture
    def all_kinds(self, document: dict[str, Any], directory: Path) -> dict[str, Any]:
        kinds = {
            "texts": [{"text": "words"}],
            "judged": [{"instruction": "a", "output": "b", "good": True}],
        }
        for name, rows in kinds.items():
            (directory / f"{name}.json").write_text(json.dumps(rows))
        document["datasets"] += [
            {"name": "ranked", "file": "ranked.json", "ranking": True},
            {"name": "texts", "file": "texts.json", "columns": {"prompt": "text"}},
            {"name": "judged", "file": "judged.json", "columns": {"kto_tag": "good"}},
        ]
        return document

    @pytest.mark.parametrize(
        ("stage", "fitting"),
        [
            ("pt", {"alpaca", "texts"}),
            ("sft", {"alpaca"}),
            ("rm", {"ranked"}),
            ("dpo", {"ranked"}),
            ("kto", {"judged"}),
        ],
    )
    @pytest.mark.parametrize("dataset", ["alpaca", "ranked", "texts", "judged"])
    def test_each_stage_takes_its_kind_of_data(
        self,
        all_kinds: dict[str, Any],
        problems_of: Find,
        stage: str,
        fitting: set[str],
        dataset: str,
    ) -> None:
        judge = {"name": "rest", "datasets": ["alpaca"]}
        problems = problems_of(runs(all_kinds, {"stage": stage, "datasets": [dataset]}, judge))
        keys = [problem.key for problem in problems]
        assert keys == ([] if dataset in fitting else [f"{RUN}.datasets[0]"])

    def test_ppo_reads_prompts_alone(self, all_kinds: dict[str, Any], problems_of: Find) -> None:
        judge = {"name": "judge", "stage": "rm", "datasets": ["ranked"]}
        ppo = {"name": "ppo", "stage": "ppo", "reward_model": "judge", "datasets": ["texts"]}
        assert problems_of(runs(all_kinds, judge, ppo)) == []

    def test_a_verdict_must_be_true_or_false(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": "a", "output": "b", "good": "yes"}]
        (directory / "judged.json").write_text(json.dumps(rows))
        document["datasets"].append(
            {"name": "judged", "file": "judged.json", "columns": {"kto_tag": "good"}}
        )
        (problem,) = problems_of(document)
        assert "row 1 has no true or false in column 'good'" in problem.rule


class TestRuns:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"arguments": {"learning_rate": 1}}, "arguments holds learning_rate"),
            ({"arguments": {"output_dir": "/x", "bf16": True}}, "arguments holds bf16, output_dir"),
            ({"quantization_bit": 4, "finetuning_type": "full"}, "needs an adapter"),
            ({"use_unsloth": True, "deepspeed": "zero3"}, "use_unsloth does not go together"),
            ({"fsdp": "full_shard", "deepspeed": "zero2"}, "both share the model out"),
            ({"fsdp": "full_shard", "use_unsloth": True}, "use_unsloth trains on one GPU"),
            ({"fsdp": "full_shard", "quantization_bit": 8}, "quantization_bit 8 does not go"),
            ({"deepspeed": "zero3", "quantization_bit": 8}, "quantization_bit 8 does not go"),
            ({"offload": "all"}, "the run has neither"),
            ({"deepspeed": "zero2", "offload": "all"}, "offload all needs weights"),
            ({"fsdp": "full_shard", "offload": "optimizer"}, "or nothing"),
            ({"stage": "ppo"}, "stage ppo needs a reward_model"),
            ({"arguments": {"default_system": 7}}, "must be a text"),
            ({"arguments": {"default_system": 'a """ b'}}, "a Modelfile cannot quote"),
            ({"arguments": {"default_system": "你好\u3000世界"}}, "U+3000 (ideographic space)"),
            (
                {"arguments": {"train_from_scratch": True}},
                "train_from_scratch with finetuning_type",
            ),
            ({"arguments": {"adapter_folder": "x"}}, "arguments holds adapter_folder"),
            (
                {"quantization_bit": 4, "arguments": {"add_tokens": "<x>"}},
                "add_tokens gives the model new rows",
            ),
            ({"reward_model": "judge"}, "stage ppo needs a reward_model"),
        ],
    )
    def test_arguments_that_do_not_fit_together(
        self, document: dict[str, Any], problems_of: Find, settings: dict[str, Any], said: str
    ) -> None:
        (problem,) = problems_of(runs(document, settings))
        assert problem.key == RUN
        assert said in problem.rule

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            (
                [{"name": "a"}, {"name": "b", "stage": "ppo", "reward_model": "a"}],
                "no earlier run with stage rm",
            ),
            (
                [{"name": "b", "stage": "ppo", "reward_model": "c"}, {"name": "c", "stage": "rm"}],
                "no earlier run with stage rm",
            ),
            ([{"stage": "rm"}], "a reward model alone cannot be served"),
            ([{"name": "a", "starts_from": "b"}, {"name": "b"}], "says starts_from b"),
            ([{"name": "a", "starts_from": "a"}], "says starts_from a"),
            (
                [{"name": "a", "stage": "rm"}, {"name": "b", "starts_from": "a"}],
                "no earlier run of a stage but rm",
            ),
        ],
    )
    def test_runs_that_do_not_follow_one_another(
        self,
        document: dict[str, Any],
        problems_of: Find,
        settings: list[dict[str, Any]],
        said: str,
    ) -> None:
        (problem,) = problems_of(runs(document, *settings))
        assert problem.key == "models[0]"
        assert said in problem.rule

    @pytest.mark.parametrize("served", ["judge", "later"])
    def test_what_is_served_is_a_run_of_the_model_and_no_judge(
        self, document: dict[str, Any], problems_of: Find, served: str
    ) -> None:
        document = runs(document, {"name": "sft"}, {"name": "judge", "stage": "rm"})
        document["models"][0]["served_run"] = served
        (problem,) = problems_of(document)
        assert problem.key == "models[0]"
        assert f"served_run is {served}" in problem.rule
        assert problem.way_out == "Use one of: sft"

    def test_mlflow_has_an_address(self, document: dict[str, Any], problems_of: Find) -> None:
        (problem,) = problems_of(runs(document, {"report_to": ["mlflow"]}))
        assert problem.key == f"{RUN}.report_to"
        assert problem.way_out == "Set trackers.mlflow_url, or leave it out"

    def test_tools_that_ollama_could_not_serve(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": "Hi", "output": "Hi.", "functions": "[]"}]
        (directory / "tools.json").write_text(json.dumps(rows))
        columns = {"prompt": "instruction", "response": "output", "tools": "functions"}
        document["datasets"][0] |= {"file": "tools.json", "columns": columns}
        document["models"][0] |= {"template": "glm4", "base_model": {"hub": "a/b"}}
        (problem,) = problems_of(document)
        assert problem.key == "models[0].template"
        assert "has tools, and Ollama reads a call as" in problem.rule
        run = document["models"][0]["training_runs"][0]
        run["arguments"] = {"tool_format": "default"}
        assert problems_of(document) == []
        del run["arguments"]
        document["models"][0]["template"] = "qwen3"
        assert problems_of(document) == []

    def test_a_generated_model_reads_no_images(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["models"][0] |= {"template": "gemma3", "base_model": {"generate": {}}}
        (problem,) = problems_of(document)
        assert (problem.key, "processor of images" in problem.rule) == ("models[0]", True)
        document["models"][0]["base_model"] = {"hub": "google/gemma-3-4b-it"}
        assert problems_of(document) == []

    def test_full_tuning_first_and_an_adapter_after_it(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        full, adapter = {"name": "a", "finetuning_type": "full"}, {"name": "b"}
        assert problems_of(runs(document, full, adapter)) == []

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("deepspeed", "zero2"),
            ("fsdp", "full_shard"),
            ("use_unsloth", True),
            ("enable_liger_kernel", True),
            ("flash_attn", "fa3"),
        ],
    )
    def test_what_needs_a_gpu_is_refused_on_a_host_without_one(
        self, document: dict[str, Any], problems_of: Find, setting: str, value: Any
    ) -> None:
        document["host"] = {"hardware": "cpu"}
        (problem,) = problems_of(runs(document, {setting: value}))
        assert (problem.key, problem.value) == (f"{RUN}.{setting}", repr(value))
        document["host"]["hardware"] = "cuda"
        assert problems_of(document) == []


class TestHardware:
    @pytest.mark.parametrize("count", ["all", 2])
    def test_ascend_devices_are_counted_by_the_operator(
        self, document: dict[str, Any], problems_of: Find, count: Any
    ) -> None:
        document["host"] = {"hardware": "npu", "gpu": {"count": count}}
        keys = [problem.key for problem in problems_of(document)]
        assert keys == (["host.gpu.count"] if count == "all" else [])

    @pytest.mark.parametrize(
        ("hardware", "setting", "refused"),
        [
            ("cpu", "quantization_bit", False),
            ("cpu", "deepspeed", True),
            ("cpu", "use_unsloth", True),
            ("npu", "quantization_bit", True),
            ("npu", "deepspeed", False),
            ("npu", "use_unsloth", True),
            ("rocm", "quantization_bit", False),
            ("cuda", "use_unsloth", False),
        ],
    )
    def test_a_library_that_has_no_kernels_for_the_hardware(
        self,
        document: dict[str, Any],
        problems_of: Find,
        hardware: str,
        setting: str,
        refused: bool,
    ) -> None:
        value = {"quantization_bit": 4, "deepspeed": "zero2", "use_unsloth": True}[setting]
        document["host"] = {"hardware": hardware, "gpu": {"count": 1}}
        keys = [problem.key for problem in problems_of(runs(document, {setting: value}))]
        assert keys == ([f"{RUN}.{setting}"] if refused else [])

    def test_an_image_of_ones_own_may_have_been_built_for_it(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["host"] = {"hardware": "npu", "gpu": {"count": 1}}
        document["images"] = {"llamafactory": {"image": "acme/factory:ascend"}}
        assert problems_of(runs(document, {"quantization_bit": 4})) == []
