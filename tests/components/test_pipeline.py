"""The tree of a plan: what is declared, under what, how secretly (F7, D3, T1, T7)."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.pipeline import FineTunePipeline
from planning.pipeline import PipelinePlan
from tests.components.conftest import (
    COMMAND,
    CONTAINER,
    IMAGE,
    NETWORK,
    REMOTE_IMAGE,
    STACK,
    VOLUME,
    Engine,
    is_secret,
    plain,
)

MakePlan = Callable[[dict[str, Any]], PipelinePlan]
Deploy = Callable[..., FineTunePipeline]


@pytest.fixture
def plan(make_plan: MakePlan, settings_document: dict[str, Any]) -> PipelinePlan:
    return make_plan(settings_document)


def labels(args: Any) -> dict[str, str]:
    return {label["label"]: label["value"] for label in args.inputs["labels"]}


def output_of(pipeline: FineTunePipeline, name: str) -> Any:
    found: list[Any] = []

    @pulumi.runtime.test
    def read() -> Any:
        return getattr(pipeline, name).apply(found.append)

    read()
    return found[0]


class TestTree:
    def test_every_noun_of_the_graph_is_a_component(self, deploy, engine, plan):
        deploy(plan)
        nouns = {a.typ.split(":")[-1] for a in engine.registered if a.typ.startswith("finetune-")}
        assert nouns == {
            "FineTunePipeline",
            "HostCheck",
            "Images",
            "Volumes",
            "DatasetRegistration",
            "BaseModel",
            "TrainingRun",
            "Merge",
            "GgufConversion",
            "OllamaServer",
            "OllamaModel",
            "Board",
        }

    def test_names_derive_from_the_parent_so_that_two_pipelines_cannot_collide(
        self, deploy, engine, plan
    ):
        deploy(plan)
        assert all(args.name.startswith("pipeline") for args in engine.registered)
        assert len({(args.typ, args.name) for args in engine.registered}) == len(engine.registered)

    def test_full_tuning_has_no_merge(self, deploy, engine, make_plan, settings_document):
        settings_document["models"][0]["training_runs"][0]["finetuning_type"] = "full"
        deploy(make_plan(settings_document))
        assert not engine.created("finetune-stack:index:Merge")
        assert engine.spec("guide-gguf-conversion")["container"]["command"][-1].count("runs/") == 4

    def test_the_board_can_be_turned_off(self, deploy, engine, make_plan, settings_document):
        settings_document["board"] = {"enabled": False}
        pipeline = deploy(make_plan(settings_document))
        assert [args.name for args in engine.created(CONTAINER)] == [
            "pipeline-ollama-server-container"
        ]
        assert output_of(pipeline, "board_url") is None


class TestEngineResources:
    def test_everything_on_the_engine_says_whose_it_is(self, deploy, engine, plan):
        deploy(plan)
        things = [*engine.created(VOLUME), *engine.created(NETWORK), *engine.created(CONTAINER)]
        assert len(things) == 7
        assert all(labels(args) == {"finetune-stack.stack": STACK} for args in things)

    def test_names_on_the_host_are_fixed_so_that_a_retained_volume_is_found_again(
        self, deploy, engine, plan
    ):
        deploy(plan)
        assert {args.inputs["name"] for args in engine.created(VOLUME)} == {
            f"{STACK}-data",
            f"{STACK}-output",
            f"{STACK}-hf-cache",
            f"{STACK}-ollama",
        }

    def test_only_retained_volumes_outlive_the_stack(self, monkeypatch, deploy, engine, plan):
        import pulumi_docker  # noqa: PLC0415 - patched before the components use it

        retained: dict[str, Any] = {}
        original = pulumi_docker.Volume.__init__

        def recording(self: Any, resource: str, /, *, opts: Any, **args: Any) -> None:
            retained[resource] = opts.retain_on_delete
            original(self, resource, opts=opts, **args)

        monkeypatch.setattr(pulumi_docker.Volume, "__init__", recording)
        deploy(plan)
        assert retained == {
            "pipeline-volumes-data": False,
            "pipeline-volumes-output": True,
            "pipeline-volumes-hf-cache": False,
            "pipeline-volumes-ollama": False,
        }

    def test_a_host_directory_takes_the_place_of_a_volume(
        self, deploy, engine, make_plan, settings_document
    ):
        settings_document["volumes"]["data"] = {"host_path": "/srv/data"}
        deploy(make_plan(settings_document))
        assert len(engine.created(VOLUME)) == 3
        (board,) = engine.created(CONTAINER, "board")
        data = next(m for m in board.inputs["mounts"] if m["target"] == "/app/data")
        assert (data["type"], data["source"]) == ("bind", "/srv/data")

    def test_ports_are_published_on_loopback_unless_asked(
        self, deploy, engine, make_plan, settings_document
    ):
        settings_document["ollama_server"] = {"bind_address": "0.0.0.0", "port": 11500}  # noqa: S104
        deploy(make_plan(settings_document))
        published = {
            args.name: [(p["ip"], p["external"], p["internal"]) for p in args.inputs["ports"]]
            for args in engine.created(CONTAINER)
        }
        assert published == {
            "pipeline-ollama-server-container": [("0.0.0.0", 11500, 11434)],  # noqa: S104
            "pipeline-board-container": [("127.0.0.1", 7860, 7860)],
        }

    def test_the_gpu_container_gets_the_gpus(self, deploy, engine, make_plan, settings_document):
        del settings_document["images"]  # Ollama's own reaches the GPUs, and our build does not
        settings_document["host"] = {"hardware": "cuda", "gpu": {"count": 2, "memory_gb": 24}}
        deploy(make_plan(settings_document))
        for args in engine.created(CONTAINER):
            assert args.inputs["gpus"] == "all"
            assert "CUDA_VISIBLE_DEVICES=0,1" in args.inputs["envs"]
        assert engine.spec("guide-sft")["container"]["accelerator"]["gpus"] == "all"

    def test_no_training_starts_before_a_container_has_seen_the_gpus(
        self, deploy, engine, make_plan, settings_document
    ):
        settings_document["host"] = {"hardware": "cuda"}
        plan = make_plan(settings_document)
        pipeline = deploy(plan)
        look = engine.spec("accelerator-check")
        assert look["container"]["accelerator"]["gpus"] == "all"
        assert look["fingerprint"] in engine.spec("guide-sft")["built_on"]
        assert output_of(pipeline, "accelerators") == [{"name": "GPU", "memory_gb": 24}]

    @pytest.mark.parametrize(
        ("hardware", "device"), [("rocm", "/dev/kfd"), ("npu", "/dev/davinci0")]
    )
    def test_other_accelerators_arrive_as_devices(
        self, deploy, engine, make_plan, settings_document, hardware, device
    ):
        settings_document["images"] = {"ollama": {"image": "acme/ollama:1"}}
        settings_document["host"] = {"hardware": hardware, "gpu": {"count": 1}}
        deploy(make_plan(settings_document))
        for args in engine.created(CONTAINER):
            assert device in [d["hostPath"] for d in args.inputs["devices"]]
        assert device in engine.spec("guide-sft")["container"]["accelerator"]["devices"]

    def test_nothing_is_built_on_a_service_before_it_is_healthy(self, deploy, engine, plan):
        deploy(plan)
        for args in engine.created(CONTAINER):
            assert args.inputs["wait"] is True
            assert args.inputs["healthcheck"]["tests"][0] == "CMD"

    def test_durations_are_written_as_the_engine_reads_them_back(self, deploy, engine, plan):
        deploy(plan)
        (board,) = engine.created(CONTAINER, "board")
        assert board.inputs["healthcheck"]["startPeriod"] == "2m0s"
        assert board.inputs["healthcheck"]["interval"] == "10s"


class TestOrder:
    """What waits for what, though no value of it is used."""

    @pytest.fixture
    def waits_for(self, monkeypatch) -> dict[str, list[str]]:
        import pulumi_command  # noqa: PLC0415 - patched before the components use them
        import pulumi_docker  # noqa: PLC0415

        found: dict[str, list[str]] = {}
        for kind in (pulumi_docker.Container, pulumi_command.local.Command):

            def recording(
                self: Any, name: str, /, *, opts: Any, original: Any = kind.__init__, **args: Any
            ) -> None:
                found[name] = [resource._name for resource in opts.depends_on]
                original(self, name, opts=opts, **args)

            monkeypatch.setattr(kind, "__init__", recording)
        return found

    @pytest.fixture
    def two_models(self, settings_document):
        second = settings_document["models"][0] | {
            "name": "second",
            "training_runs": [{"datasets": ["answers"], "seed": 7}],
        }
        settings_document["models"].append(second)
        return settings_document

    def test_the_board_opens_when_its_data_sets_are_there(self, waits_for, deploy, plan):
        deploy(plan)
        assert waits_for["pipeline-board-container"] == ["pipeline-dataset-registration"]

    def test_two_trainings_never_share_the_gpus(self, waits_for, deploy, make_plan, two_models):
        two_models["host"] = {"hardware": "cuda", "gpu": {"memory_gb": 24}}
        deploy(make_plan(two_models))
        assert waits_for["pipeline-guide-sft-command"] == []
        assert waits_for["pipeline-second-sft-command"] == ["pipeline-guide-sft"]

    def test_processors_are_shared(self, waits_for, deploy, make_plan, two_models):
        deploy(make_plan(two_models))
        assert waits_for["pipeline-second-sft-command"] == []


class TestApi:
    @pytest.fixture
    def with_api(self, make_plan, settings_document):
        settings_document["api"] = {"enabled": True, "port": 8123}
        return make_plan(settings_document)

    def test_it_starts_when_its_model_is_trained(self, deploy, engine, with_api):
        pipeline = deploy(with_api)
        (api,) = engine.created(CONTAINER, "api")
        assert labels(api)["finetune-stack.built-on"] == (
            with_api.models[0].training_runs[-1].fingerprint
        )
        assert output_of(pipeline, "api_url") == "http://127.0.0.1:8123/v1"

    def test_its_key_stays_secret_and_other_services_never_see_it(self, deploy, engine, with_api):
        deploy(with_api, api_key=pulumi.Output.secret("sesame"))
        (api,) = engine.created(CONTAINER, "api")
        assert is_secret(api.inputs["envs"])
        assert "API_KEY=sesame" in plain(api.inputs["envs"])
        for args in engine.created(CONTAINER):
            if args is not api:
                assert "sesame" not in str(args.inputs)

    def test_without_a_key_it_asks_for_none(self, deploy, engine, with_api):
        deploy(with_api)
        (api,) = engine.created(CONTAINER, "api")
        assert not [env for env in plain(api.inputs["envs"]) if env.startswith("API_KEY")]


class TestImages:
    def test_a_base_is_pulled_once_and_images_are_built_from_it(self, deploy, engine, plan):
        deploy(plan)
        (base,) = engine.created(REMOTE_IMAGE)
        assert base.inputs["name"] == "debian:trixie-slim"
        built = {args.name: args.inputs for args in engine.created(IMAGE)}
        assert built["pipeline-images-llamafactory"]["build"]["args"]["BASE_IMAGE"] == (
            "debian:trixie-slim"
        )
        assert built["pipeline-images-converter"]["build"]["args"]["BASE_IMAGE"] == (
            plan.images.llamafactory.reference
        )
        assert all(inputs["skipPush"] is True for inputs in built.values())

    def test_a_ready_image_is_pulled_and_not_built(
        self, deploy, engine, make_plan, settings_document
    ):
        settings_document["images"] = {"llamafactory": {"image": "hiyouga/llamafactory:0.9.5"}}
        deploy(make_plan(settings_document))
        pulled = {args.inputs["name"] for args in engine.created(REMOTE_IMAGE)}
        assert pulled == {"hiyouga/llamafactory:0.9.5", "ollama/ollama:0.17.4"}
        assert [args.name for args in engine.created(IMAGE)] == ["pipeline-images-converter"]


class TestSteps:
    def test_each_step_builds_on_those_that_it_needs(self, deploy, engine, plan):
        deploy(plan)
        data, base, run, merge, gguf = (
            plan.dataset_registration.fingerprint,
            *(stage.fingerprint for stage in plan.models[0].stages),
        )
        built_on = {
            step: engine.spec(f"guide-{step}")["built_on"]
            for step in ("base-model", "sft", "merge", "gguf-conversion", "ollama-model")
        }
        assert built_on == {
            "base-model": [],
            "sft": [data, base],
            "merge": [run],
            "gguf-conversion": [merge],
            "ollama-model": [gguf],
        }

    def test_a_changed_fingerprint_or_a_lost_artefact_converges_in_place(
        self, deploy, engine, plan
    ):
        deploy(plan)
        for args in engine.created(COMMAND):
            spec = engine.spec(args.name)
            assert spec["fingerprint"]
            assert spec["token"].startswith("token-")
            assert "triggers" not in args.inputs, "a trigger replaces: delete would follow create"
            assert args.inputs["create"] == args.inputs["update"], "else it would be replaced"
            assert args.inputs["delete"].endswith(" delete")
            assert args.inputs["addPreviousOutputInEnv"] is False

    def test_tokens_come_from_the_host_check(self, deploy, engine, plan):
        deploy(plan)
        assert engine.spec("guide-sft")["token"] == f"token-{STACK}-guide-sft"
        assert engine.spec("dataset-registration")["token"] == "token-dataset-registration"

    def test_no_command_line_depends_on_where_the_project_lies(self, deploy, engine, plan):
        deploy(plan)
        for args in engine.created(COMMAND):
            assert not any(word.startswith("/") for word in args.inputs["create"].split())

    def test_the_hub_token_is_a_secret_and_only_where_the_hub_is_used(
        self, deploy, engine, make_plan, settings_document
    ):
        settings_document["models"][0]["base_model"] = {"hub": "org/Model-1B"}
        deploy(make_plan(settings_document), hub_token=pulumi.Output.secret("hf_very_secret"))
        (training,) = engine.created(COMMAND, "guide-sft")
        assert is_secret(training.inputs["environment"]), "a plain value would be in the state"
        assert engine.spec("guide-sft")["secret_environment"] == ["HF_TOKEN"]
        (conversion,) = engine.created(COMMAND, "guide-gguf")
        assert not plain(conversion.inputs["environment"])
        for args in engine.created(COMMAND):
            rest = {key: value for key, value in args.inputs.items() if key != "environment"}
            assert "hf_very_secret" not in str(rest)

    def test_a_stack_without_the_hub_gets_no_token(self, deploy, engine, plan):
        deploy(plan, hub_token=pulumi.Output.secret("hf_very_secret"))
        assert "hf_very_secret" not in str([args.inputs for args in engine.registered])


class TestOutputs:
    def test_outputs_answer_the_operators_questions(self, deploy, engine, plan):
        pipeline = deploy(plan)
        assert output_of(pipeline, "ollama_url") == "http://127.0.0.1:11434"
        assert output_of(pipeline, "board_url") == "http://127.0.0.1:7860"
        assert output_of(pipeline, "models") == {"guide": "guide:latest"}
        assert output_of(pipeline, "smoke_answers") == [
            {"model": "guide", "prompt": "answer?", "answer": "42"}
        ]
        assert output_of(pipeline, "training_results") == {"guide-sft": {"train_loss": 0.5}}

    def test_every_component_registers_its_outputs(self, monkeypatch, deploy, engine, plan):
        registered: list[str] = []
        original = pulumi.ComponentResource.register_outputs

        def recording(self: Any, outputs: Any) -> None:
            registered.append(type(self).__name__)
            original(self, outputs)

        monkeypatch.setattr(pulumi.ComponentResource, "register_outputs", recording)
        deploy(plan)
        components = [a for a in engine.registered if a.typ.startswith("finetune-stack:")]
        assert len(registered) == len(components)


def test_the_engine_fixture_records(engine: Engine):
    assert engine.registered == []
