"""The tree of a plan: what is declared, under what, in which order, how secretly."""

import copy
import importlib
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.pipeline import FineTunePipeline
from plan import labels
from plan.codec import decode
from plan.image import BUILD_ARGUMENT
from plan.ollama_model import OllamaModelStep
from plan.pipeline import PipelinePlan
from plan.step import (
    DatasetRegistrationStep,
    HostClaimStep,
    KeptArtefactsStep,
    LeftoversStep,
    Request,
    ServedModelsStep,
    ServiceStartStep,
    StepPlan,
)
from runtime.__main__ import ACTIONS, MODULES
from tests.components.conftest import STACK, Deploy, MakePlan
from tests.pulumi_recorder import (
    COMMAND,
    CONTAINER,
    DIGEST,
    IMAGE,
    NETWORK,
    OWNER_ID,
    REMOTE_IMAGE,
    VOLUME,
    Recorder,
    Registration,
    is_secret,
    plain,
    run,
)

Document = dict[str, Any]

CLAIM = "pipeline-host-check-command"
LEFTOVERS = "pipeline-leftovers"
NETWORK_NAME = "pipeline-network"
VOLUMES = {f"pipeline-volumes-{role}" for role in ("data", "output", "hf-cache", "ollama")}


def labels_of(thing: Registration) -> dict[str, str]:
    return {label["label"]: label["value"] for label in thing.inputs["labels"]}


def output_of(pipeline: FineTunePipeline, name: str) -> Any:
    found: list[Any] = []

    run(lambda: getattr(pipeline.outputs, name).apply(found.append))
    return found[0]


@pytest.fixture
def two_models(settings_document: Document) -> Document:
    """A second model that is trained in another way."""
    second = settings_document["models"][0] | {
        "name": "second",
        "training_runs": [{"datasets": ["answers"], "seed": 7}],
    }
    settings_document["models"].append(second)
    return settings_document


class TestTree:
    def test_every_noun_of_the_graph_is_a_component(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        prefix = f"{labels.NAMESPACE}:index:"
        nouns = {
            each.type.removeprefix(prefix)
            for each in engine.registered
            if each.type.startswith(prefix)
        }
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

    def test_every_child_hangs_below_the_component_that_it_is_named_after(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        children = [each for each in engine.registered if each.parent not in (None, "test")]
        below = [each for each in children if str(each.parent).startswith("pipeline")]
        assert len(below) > 20
        for each in below:
            assert each.name.startswith(f"{each.parent}-")
        assert len({each.name for each in below}) == len(below), "two of a name would collide"

    def test_full_tuning_has_no_merge(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["models"][0]["training_runs"][0]["finetuning_type"] = "full"
        deploy(make_plan(settings_document))
        assert not engine.all("finetune-stack:index:Merge")
        trained = engine.step("pipeline-guide-sft-command").step
        converted = engine.step("pipeline-guide-gguf-conversion-command").step
        assert str(trained.artefact) in converted.container.command[-1]

    def test_the_board_can_be_turned_off(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["board"] = {"enabled": False}
        pipeline = deploy(make_plan(settings_document))
        assert [each.name for each in engine.all(CONTAINER)] == ["pipeline-ollama-server-container"]
        assert output_of(pipeline, "board_url") is None

    def test_models_that_differ_in_how_they_are_served_are_made_once(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        first = settings_document["models"][0]
        settings_document["models"].append(
            first | {"name": "terse", "ollama_model": {"parameters": {"num_predict": 4}}}
        )
        pipeline = deploy(make_plan(settings_document))
        for noun in ("BaseModel", "TrainingRun", "Merge", "GgufConversion"):
            assert len(engine.all(f"finetune-stack:index:{noun}")) == 1, noun
        assert output_of(pipeline, "models") == {"guide": "guide:latest", "terse": "terse:latest"}
        assert "pipeline-guide-gguf-conversion-command" in engine.waits_for(
            "pipeline-terse-ollama-model-command"
        )

    def test_every_component_registers_its_outputs(
        self,
        monkeypatch: pytest.MonkeyPatch,
        deploy: Deploy,
        engine: Recorder,
        plan: PipelinePlan,
    ) -> None:
        finished: list[str] = []

        def record(request: Any) -> Any:
            finished.append(request.urn)
            return super(Recorder, engine).RegisterResourceOutputs(request)

        monkeypatch.setattr(engine, "RegisterResourceOutputs", record)
        deploy(plan)
        components = {each.urn for each in engine.registered if not each.request.custom}
        components = {urn for urn in components if "pulumi:pulumi:Stack::" not in urn}
        assert len(components) == 12
        assert components <= set(finished)


class TestEngineResources:
    def test_everything_on_the_engine_says_whose_it_is(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        owner = {labels.STACK: STACK, labels.OWNER: OWNER_ID}
        assert len(engine.all(VOLUME)) == 4
        assert len(engine.all(CONTAINER)) == 2
        for thing in (*engine.all(VOLUME), *engine.all(NETWORK)):
            assert labels_of(thing) == owner, thing.name
        for container in engine.all(CONTAINER):
            token = f"token-{container.inputs['name']}"
            assert labels_of(container) == {**owner, labels.TOKEN: token}, container.name

    def test_names_on_the_host_are_fixed_so_that_a_retained_volume_is_found_again(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        assert {each.inputs["name"] for each in engine.all(VOLUME)} == {
            f"{STACK}-data",
            f"{STACK}-output",
            f"{STACK}-hf-cache",
            f"{STACK}-ollama",
        }

    def test_only_retained_volumes_outlive_the_stack(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        retained = {each.name for each in engine.all(VOLUME) if each.request.retainOnDelete}
        assert retained == {"pipeline-volumes-output"}

    def test_no_label_replaces_what_holds_data(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        for thing in (*engine.all(VOLUME), *engine.all(NETWORK)):
            assert list(thing.request.ignoreChanges) == ["labels"], thing.name
            assert thing.request.deleteBeforeReplace, "two of one name cannot be there"

    def test_other_mounts_are_another_container_at_the_same_place(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        for container in engine.all(CONTAINER):
            assert "mounts" in container.request.replaceOnChanges
            assert container.request.deleteBeforeReplace, "two of one port cannot be there"

    def test_a_host_directory_takes_the_place_of_a_volume(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["volumes"]["data"] = {"host_path": "/srv/data"}
        pipeline = deploy(make_plan(settings_document))
        assert {each.name for each in engine.all(VOLUME)} == VOLUMES - {"pipeline-volumes-data"}
        mounts = engine.one("pipeline-board-container").inputs["mounts"]
        data = next(mount for mount in mounts if mount["target"] == "/app/data")
        assert (data["type"], data["source"]) == ("bind", "/srv/data")
        assert output_of(pipeline, "volumes")["data"] == "/srv/data"

    def test_ports_are_published_on_loopback_unless_asked(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["ollama_server"] = {"bind_address": "0.0.0.0", "port": 11500}  # noqa: S104
        deploy(make_plan(settings_document))
        published = {
            each.name: [(p["ip"], p["external"], p["internal"]) for p in each.inputs["ports"]]
            for each in engine.all(CONTAINER)
        }
        assert published == {
            "pipeline-ollama-server-container": [("0.0.0.0", 11500, 11434)],  # noqa: S104
            "pipeline-board-container": [("127.0.0.1", 7860, 7860)],
        }

    def test_the_gpu_container_gets_the_gpus(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        del settings_document["images"]  # Ollama's own reaches the GPUs, and our build does not
        settings_document["host"] = {"hardware": "cuda", "gpu": {"count": 2, "memory_gb": 24}}
        deploy(make_plan(settings_document))
        assert len(engine.all(CONTAINER)) == 2
        for container in engine.all(CONTAINER):
            assert container.inputs["gpus"] == "all"
            assert "CUDA_VISIBLE_DEVICES=0,1" in container.inputs["envs"]
        training = engine.step("pipeline-guide-sft-command").step
        assert training.container.accelerator.gpus == "all"

    @pytest.mark.parametrize(
        ("hardware", "device"), [("rocm", "/dev/kfd"), ("npu", "/dev/davinci0")]
    )
    def test_other_accelerators_arrive_as_devices(
        self,
        deploy: Deploy,
        engine: Recorder,
        make_plan: MakePlan,
        settings_document: Document,
        hardware: str,
        device: str,
    ) -> None:
        settings_document["images"] = {"ollama": {"image": "acme/ollama:1"}}
        settings_document["host"] = {"hardware": hardware, "gpu": {"count": 1}}
        deploy(make_plan(settings_document))
        assert len(engine.all(CONTAINER)) == 2
        for container in engine.all(CONTAINER):
            assert device in [each["hostPath"] for each in container.inputs["devices"]]
        training = engine.step("pipeline-guide-sft-command").step
        assert device in training.container.accelerator.devices

    def test_durations_are_written_as_the_engine_reads_them_back(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        healthcheck = engine.one("pipeline-board-container").inputs["healthcheck"]
        assert (healthcheck["startPeriod"], healthcheck["interval"]) == ("2m0s", "10s")


class TestOrder:
    """What waits for what, though no value of it may be used."""

    def test_nothing_is_made_on_the_host_before_the_stack_has_claimed_it(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        assert engine.waits_for(CLAIM) == set()
        made = [each.name for each in engine.registered if each.request.custom]
        assert len(made) > 20
        for name in made:
            assert name == CLAIM or CLAIM in engine.waits_for(name), name

    def test_what_steps_left_goes_after_the_steps_and_before_what_it_holds(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        """Deletion goes against the order of creation."""
        deploy(plan)
        assert engine.waits_for(LEFTOVERS) >= {*VOLUMES, NETWORK_NAME}
        later = [
            each.name
            for each in (*engine.all(COMMAND), *engine.all(CONTAINER))
            if each.name not in (CLAIM, LEFTOVERS)
        ]
        assert len(later) == 11
        for name in later:
            assert LEFTOVERS in engine.waits_for(name), name
        assert "create" not in engine.one(LEFTOVERS).inputs, "an up has nothing to remove"
        assert engine.one(LEFTOVERS).inputs["delete"].endswith(" leftovers delete")

    def test_each_step_builds_on_those_that_it_needs(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        chain = ["base-model", "sft", "merge", "gguf-conversion", "ollama-model"]
        commands = [f"pipeline-guide-{step}-command" for step in chain]
        for index, name in enumerate(commands):
            waits_for = engine.waits_for(name)
            assert {*commands[:index], "pipeline-dataset-registration-command"} <= waits_for
            assert not {*commands[index:]} & waits_for
        assert "pipeline-images-converter" in engine.waits_for(commands[3])
        assert "pipeline-images-converter" not in engine.waits_for(commands[2])
        assert "pipeline-ollama-server-command" in engine.waits_for(commands[4])

    def test_models_do_not_wait_for_one_another(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, two_models: Document
    ) -> None:
        """Who has the GPUs is settled on the engine, where no failing model holds back another."""
        two_models["host"] = {"hardware": "cuda", "gpu": {"memory_gb": 24}}
        deploy(make_plan(two_models))
        first, second = (engine.waits_for(f"pipeline-{m}-sft-command") for m in ("guide", "second"))
        assert "pipeline-guide-sft-command" not in second
        assert "pipeline-second-sft-command" not in first

    def test_former_names_go_when_every_model_is_served(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, two_models: Document
    ) -> None:
        deploy(make_plan(two_models))
        name = "pipeline-served-models-command"
        models = {f"pipeline-{model}-ollama-model-command" for model in ("guide", "second")}
        assert models <= engine.waits_for(name)
        step = engine.step(name, ServedModelsStep).step
        assert step.served_names == ("guide:latest", "second:latest")

    def test_superseded_artefacts_go_after_all_that_had_them(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, two_models: Document
    ) -> None:
        two_models["models"][0]["keep"] = 2
        two_models["api"] = {"enabled": True, "model": "guide"}
        plan = make_plan(two_models)
        deploy(plan)
        name = "pipeline-kept-artefacts-command"
        models = {f"pipeline-{model}-ollama-model-command" for model in ("guide", "second")}
        assert {*models, "pipeline-api-container"} <= engine.waits_for(name)
        assert engine.step(name, KeptArtefactsStep).step == plan.kept_artefacts

    def test_what_is_not_left_over_is_known_before_it_is_made(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        references = engine.step(LEFTOVERS, LeftoversStep).step.references
        assert references == plan.leftovers.references
        assert references is not None
        sft = engine.step("pipeline-guide-sft-command").step
        assert str(sft.artefact) in references.paths
        assert "pipeline-kept-artefacts-command" not in {each.name for each in engine.all(COMMAND)}

    def test_the_board_opens_when_its_data_sets_are_there(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        registration = "pipeline-dataset-registration-command"
        assert registration in engine.waits_for("pipeline-board-container")
        assert registration not in engine.waits_for("pipeline-ollama-server-container")

    def test_nothing_is_built_on_a_service_before_it_answers(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        start = "pipeline-ollama-server-command"
        assert "pipeline-ollama-server-container" in engine.waits_for(start)
        request = engine.step(start, ServiceStartStep)
        assert request.step.name == f"{STACK}-ollama-server"
        assert request.step.probe == ("ollama", "list")
        # A container that was made again has to answer again.
        assert request.token == "pipeline-ollama-server-container-id"
        assert start in engine.waits_for("pipeline-guide-ollama-model-command")

    def test_no_training_starts_before_a_container_has_seen_the_gpus(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["host"] = {"hardware": "cuda"}
        pipeline = deploy(make_plan(settings_document))
        check = "pipeline-accelerator-check-command"
        assert engine.step(check).step.container.accelerator.gpus == "all"
        assert check in engine.waits_for("pipeline-guide-base-model-command")
        assert check in engine.waits_for("pipeline-guide-sft-command")
        assert output_of(pipeline, "accelerators") == [{"name": "GPU", "memory_gb": 24}]


class TestApi:
    @pytest.fixture
    def with_api(self, make_plan: MakePlan, settings_document: Document) -> PipelinePlan:
        settings_document["api"] = {"enabled": True, "port": 8123}
        return make_plan(settings_document)

    def test_it_starts_when_its_model_is_trained(
        self, deploy: Deploy, engine: Recorder, with_api: PipelinePlan
    ) -> None:
        pipeline = deploy(with_api)
        trained = engine.step("pipeline-guide-sft-command").step
        api = engine.one("pipeline-api-container")
        assert labels_of(api)[labels.BUILT_ON] == trained.identity
        assert "pipeline-guide-sft-command" in engine.waits_for(api.name)
        assert output_of(pipeline, "api_url") == "http://127.0.0.1:8123/v1"

    def test_its_key_stays_secret_and_other_services_never_see_it(
        self, deploy: Deploy, engine: Recorder, with_api: PipelinePlan
    ) -> None:
        deploy(with_api, secrets={"api_key": pulumi.Output.secret("sesame")})
        api = engine.one("pipeline-api-container")
        assert is_secret(api.inputs["envs"])
        assert "API_KEY=sesame" in plain(api.inputs["envs"])
        for each in engine.registered:
            if each is not api:
                assert "sesame" not in str(each.inputs), each.name

    def test_without_a_key_it_asks_for_none(
        self, deploy: Deploy, engine: Recorder, with_api: PipelinePlan
    ) -> None:
        deploy(with_api)
        variables = plain(engine.one("pipeline-api-container").inputs["envs"])
        assert not [variable for variable in variables if variable.startswith("API_KEY")]


class TestImages:
    def test_a_base_is_pulled_once_and_images_are_built_from_it(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        (base,) = engine.all(REMOTE_IMAGE)
        assert base.inputs["name"] == "debian:trixie-slim"
        assert base.inputs["keepLocally"] is True
        built = {each.name.removeprefix("pipeline-images-"): each for each in engine.all(IMAGE)}
        bases = {role: image.inputs["build"]["args"]["BASE_IMAGE"] for role, image in built.items()}
        assert bases == {
            "llamafactory": "debian:trixie-slim",
            "converter": plan.images.llamafactory.reference,
            "ollama": "debian:trixie-slim",
        }
        assert base.name in engine.waits_for("pipeline-images-llamafactory")
        assert base.name in engine.waits_for("pipeline-images-ollama")
        assert "pipeline-images-llamafactory" in engine.waits_for("pipeline-images-converter")
        assert all(image.inputs["skipPush"] is True for image in built.values())

    def test_a_dockerfile_that_names_its_base_itself_waits_for_none(
        self,
        deploy: Deploy,
        engine: Recorder,
        make_plan: MakePlan,
        settings_document: Document,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "factory").mkdir()
        (tmp_path / "factory/Dockerfile").write_text("FROM acme/base:1\n")
        settings_document.setdefault("images", {})["llamafactory"] = {
            "dockerfile": str(tmp_path / "factory/Dockerfile")
        }
        deploy(make_plan(settings_document))
        built = engine.one("pipeline-images-llamafactory")
        assert set(plain(built.inputs["build"]["args"])) == {"BUILD_TOKEN"}
        assert not [name for name in engine.waits_for(built.name) if name.endswith("-base")]

    def test_a_build_is_for_the_engines_platform(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        assert len(engine.all(IMAGE)) == 3
        for image in engine.all(IMAGE):
            assert image.inputs["build"]["platform"] == "linux/arm64"

    def test_a_build_gets_the_token_that_tells_whether_its_image_is_there(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        for role in ("llamafactory", "converter", "ollama"):
            arguments = engine.one(f"pipeline-images-{role}").inputs["build"]["args"]
            assert arguments[BUILD_ARGUMENT] == f"token-{role}"

    def test_a_ready_image_is_pulled_and_not_built(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["images"] = {"llamafactory": {"image": "hiyouga/llamafactory:0.9.5"}}
        deploy(make_plan(settings_document))
        pulled = {each.inputs["name"] for each in engine.all(REMOTE_IMAGE)}
        assert pulled == {"hiyouga/llamafactory:0.9.5", "ollama/ollama:0.17.4"}
        assert [each.name for each in engine.all(IMAGE)] == ["pipeline-images-converter"]


class TestSteps:
    def test_every_command_names_a_program_that_reads_its_request(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["host"] = {"hardware": "cuda"}
        settings_document["api"] = {"enabled": True}
        whole = copy.deepcopy(settings_document["models"][0])
        whole["name"] = "whole"
        whole["gguf_conversion"] = {"quantization": "iq2_s", "importance_matrix": True}
        whole["training_runs"][0]["finetuning_type"] = "full"
        whole["keep"] = 1
        settings_document["models"].append(whole)
        settings_document["api"]["model"] = "whole"
        settings_document["registry"] = {"host": "registry.example.org"}
        whole["ollama_model"] = {"publish": "team/whole"}
        deploy(make_plan(settings_document))
        seen = set()
        for command in engine.all(COMMAND):
            for key in {"create", "update", "delete"} & command.inputs.keys():
                *entry, noun, action = command.inputs[key].split()
                assert entry == [".venv/bin/python", "-m", "runtime"]
                assert action in ACTIONS
                seen.add(noun)
                kind: type[StepPlan] = importlib.import_module(MODULES[noun]).KIND
                request = decode(Request[kind], command.inputs["stdin"])  # type: ignore[valid-type]
                assert request.owner.stack == STACK
        assert seen == set(MODULES), "a program that nothing runs, or a step that has none"

    def test_a_changed_step_converges_in_place(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        for command in engine.all(COMMAND):
            assert "triggers" not in command.inputs, "it replaces: delete would follow create"
            assert command.inputs.get("create") == command.inputs.get("update")
            before = command.inputs["addPreviousOutputInEnv"]
            # The claim alone compares; elsewhere it would grow the environment for nothing.
            assert before is (command.name == CLAIM)

    def test_the_claim_is_never_taken_back(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        assert engine.step(CLAIM, HostClaimStep).owner.id == "", "it is what draws one"
        assert "delete" not in engine.one(CLAIM).inputs

    def test_every_step_knows_whose_it_is(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        kinds: dict[str, type[StepPlan]] = {
            "pipeline-dataset-registration-command": DatasetRegistrationStep,
            "pipeline-guide-ollama-model-command": OllamaModelStep,
            "pipeline-served-models-command": ServedModelsStep,
        }
        for name, kind in kinds.items():
            assert engine.step(name, kind).owner.id == OWNER_ID
        assert engine.step("pipeline-guide-sft-command").owner.id == OWNER_ID
        # It goes by the stack's name: also what an earlier owner left holds the volumes.
        assert engine.step(LEFTOVERS, LeftoversStep).owner.stack == STACK

    def test_tokens_come_from_the_look_at_the_host(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan)
        sft, registration = (
            engine.step("pipeline-guide-sft-command"),
            engine.step("pipeline-dataset-registration-command", DatasetRegistrationStep),
        )
        assert sft.token == f"token-{STACK}-guide-sft"
        assert registration.token == f"token-{STACK}-dataset-registration"

    def test_the_hub_token_is_a_secret_and_only_where_the_hub_is_used(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["models"][0]["base_model"] = {"hub": "org/Model-1B"}
        deploy(
            make_plan(settings_document),
            secrets={"hub_token": pulumi.Output.secret("hf_very_secret")},
        )
        holders = {
            each.name
            for each in engine.registered
            if "hf_very_secret" in str(each.inputs.get("environment"))
        }
        assert holders == {"pipeline-base-model-org--Model-1B-command"}
        for name in holders:
            command = engine.one(name)
            environment = command.inputs["environment"]
            assert all(map(is_secret, environment.values())) or is_secret(environment)
            assert engine.step(name).step.secret_environment == ("HF_TOKEN",)
        for each in engine.registered:
            rest = {key: value for key, value in each.inputs.items() if key != "environment"}
            assert "hf_very_secret" not in str(rest), each.name

    def test_a_trackers_key_is_a_secret_of_the_run_that_reports_there(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["models"][0]["training_runs"][0]["report_to"] = ["wandb"]
        settings_document["tensorboard"] = {"enabled": True}
        keys = {"wandb_api_key": pulumi.Output.secret("hush-hush")}
        deploy(make_plan(settings_document), secrets=keys)
        (holder,) = (each for each in engine.registered if "hush-hush" in str(each.inputs))
        assert holder.name == "pipeline-guide-sft-command"
        environment = holder.inputs["environment"]
        assert is_secret(environment) or is_secret(environment["WANDB_API_KEY"])
        rest = {key: value for key, value in holder.inputs.items() if key != "environment"}
        assert "hush-hush" not in str(rest)

    def test_a_registrys_password_is_a_secret_of_the_publication(
        self, deploy: Deploy, engine: Recorder, make_plan: MakePlan, settings_document: Document
    ) -> None:
        settings_document["registry"] = {"host": "registry.example.org", "username": "raven"}
        settings_document["models"][0]["ollama_model"]["publish"] = "team/guide"
        keys = {"registry_password": pulumi.Output.secret("hush-hush")}
        pipeline = deploy(make_plan(settings_document), secrets=keys)
        assert output_of(pipeline, "published") == {
            "guide": {"reference": "registry.example.org/team/guide:latest", "digest": DIGEST}
        }
        (holder,) = (each for each in engine.registered if "hush-hush" in str(each.inputs))
        assert holder.name == "pipeline-guide-publication-command"
        assert "pipeline-guide-ollama-model-command" in engine.waits_for(holder.name)
        environment = holder.inputs["environment"]
        assert is_secret(environment) or is_secret(environment["REGISTRY_PASSWORD"])
        rest = {key: value for key, value in holder.inputs.items() if key != "environment"}
        assert "hush-hush" not in str(rest)

    def test_a_stack_without_the_hub_gets_no_token(
        self, deploy: Deploy, engine: Recorder, plan: PipelinePlan
    ) -> None:
        deploy(plan, secrets={"hub_token": pulumi.Output.secret("hf_very_secret")})
        assert "hf_very_secret" not in str([each.inputs for each in engine.registered])


class TestOutputs:
    def test_outputs_answer_the_operators_questions(
        self, deploy: Deploy, plan: PipelinePlan
    ) -> None:
        pipeline = deploy(plan)
        assert output_of(pipeline, "ollama_url") == "http://127.0.0.1:11434"
        assert output_of(pipeline, "board_url") == "http://127.0.0.1:7860"
        assert output_of(pipeline, "api_url") is None
        assert output_of(pipeline, "tensorboard_url") is None
        assert output_of(pipeline, "metrics_url") is None
        assert output_of(pipeline, "models") == {"guide": "guide:latest"}
        assert output_of(pipeline, "accelerators") == []
        assert output_of(pipeline, "smoke_answers") == [
            {"model": "guide", "prompt": "answer?", "answer": "42"}
        ]
        assert output_of(pipeline, "training_results") == {"guide-sft": {"train_loss": 0.5}}
        assert output_of(pipeline, "volumes")["hf_cache"] == f"{STACK}-hf-cache"
