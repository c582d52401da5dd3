"""What keeps running, and what it serves (T1, E1, E5)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan import paths
from plan.container import GIB, Container
from plan.pipeline import PipelinePlan
from plan.service import ServicePlan
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]


def options(service: ServicePlan) -> dict[str, str]:
    """The `--key=value` arguments of a service's command."""
    given = (word[2:].split("=", 1) for word in service.container.command if word.startswith("--"))
    return dict(given)


class TestOllamaServer:
    def test_the_server_reads_models_where_they_were_made_and_cannot_change_them(
        self, plan_with: PlanWith
    ) -> None:
        (output,) = (
            mount
            for mount in plan_with().ollama_server.container.mounts
            if mount.source == "test-output"
        )
        assert output.read_only

    def test_variables_of_the_operator_reach_the_server(self, plan_with: PlanWith) -> None:
        environment = {"OLLAMA_KEEP_ALIVE": "1h"}
        plan = plan_with(lambda d: d.update(ollama_server={"environment": environment}))
        assert environment.items() <= plan.ollama_server.container.environment.items()


class TestBoard:
    def test_it_listens_where_the_engine_publishes_it(self, plan_with: PlanWith) -> None:
        board = plan_with(lambda d: d.update(board={"port": 7000, "share": True})).board
        assert board
        assert board.container.command[-1].endswith("exec llamafactory-cli webui")
        assert board.container.environment["GRADIO_SERVER_PORT"] == str(board.port.internal)
        assert board.container.environment["GRADIO_SHARE"] == "1"
        assert (board.port.external, board.port.bind_address) == (7000, "127.0.0.1")

    def test_it_works_in_the_output_volume(self, plan_with: PlanWith) -> None:
        plan = plan_with()
        assert plan.board
        assert "cd /app/output/board;" in plan.board.container.command[-1]
        assert plan.volumes.holding("/app/output/board") == plan.volumes.output

    def test_it_sees_data_output_and_cache(self, plan_with: PlanWith) -> None:
        board = plan_with().board
        assert board
        assert board.container.mounts == plan_with().volumes.training_mounts


class TestApi:
    def with_api(self, plan_with: PlanWith, change: Callable[[dict[str, Any]], Any]) -> Any:
        def enable(document: dict[str, Any]) -> None:
            document["api"] = {"enabled": True}
            change(document)

        plan = plan_with(enable)
        assert plan.api
        return plan, plan.api

    def test_it_is_off_unless_asked_for(self, plan_with: PlanWith) -> None:
        assert plan_with().api is None

    def test_it_serves_the_adapter_in_the_template_of_the_training(
        self, plan_with: PlanWith
    ) -> None:
        plan, api = self.with_api(plan_with, lambda document: None)
        (guide,) = plan.models
        assert api.container.command[6:8] == ("llamafactory-cli", "api")
        assert options(api) == {
            "offload_folder": "/root/.cache/huggingface/offload",
            "model_name_or_path": str(step_of(guide, "base-model").artefact),
            "adapter_name_or_path": str(step_of(guide, "training-run").artefact),
            "template": "llama3",
        }
        assert api.container.environment["API_PORT"] == str(api.port.internal)
        assert api.port.external == 8000

    def test_a_fully_tuned_model_has_no_adapter(self, plan_with: PlanWith) -> None:
        plan, api = self.with_api(
            plan_with,
            lambda d: d["models"][0]["training_runs"][0].update(finetuning_type="full"),
        )
        run = step_of(plan.models[0], "training-run")
        assert options(api)["model_name_or_path"] == str(run.artefact)
        assert "adapter_name_or_path" not in options(api)

    def test_another_training_means_another_container(self, plan_with: PlanWith) -> None:
        _, before = self.with_api(plan_with, lambda document: None)
        _, after = self.with_api(
            plan_with, lambda d: d["models"][0]["training_runs"][0].update(learning_rate=0.5)
        )
        assert before.container.command != after.container.command
        assert before.built_on != after.built_on

    def test_it_is_built_on_the_work_that_it_serves(self, plan_with: PlanWith) -> None:
        plan, api = self.with_api(plan_with, lambda document: None)
        assert api.built_on == step_of(plan.models[0], "training-run").identity

    @pytest.mark.parametrize("base", [{"generate": {}}, {"hub": "a/b-1B"}])
    def test_it_gets_its_key_and_fetches_nothing(
        self, plan_with: PlanWith, base: dict[str, Any]
    ) -> None:
        _, api = self.with_api(plan_with, lambda d: d["models"][0].update(base_model=base))
        assert api.secret_environment == ("API_KEY",)
        assert api.container.environment["HF_HUB_OFFLINE"] == "1"


def test_what_serves_with_libgomp_preloads_it_once_that_is_called_for(plan_with: PlanWith) -> None:
    plan = plan_with(lambda d: d.update(api={"enabled": True}))
    preloading = {service.settings for service in plan.services if service.preloads}
    assert preloading == {"board", "api"}
    for service in plan.services:
        assert (str(paths.PRELOAD) in service.container.command) == service.preloads


def test_shared_memory_is_a_size_of_their_own_or_the_hosts(plan_with: PlanWith) -> None:
    def container(host: dict[str, Any], noun: str) -> Container:
        plan = plan_with(lambda d: (d["host"].update(host), d.update(api={"enabled": True})))
        assert plan.board
        assert plan.api
        places = {
            "board": plan.board.container,
            "api": plan.api.container,
            "sft": step_of(plan.models[0], "training-run").container,
        }
        return places[noun]

    for noun in ("board", "api", "sft"):
        own, hosts = container({"shm_size_gb": 2}, noun), container({"ipc": "host"}, noun)
        assert (own.shm_bytes, own.host_ipc) == (2 * GIB, False)
        assert hosts.host_ipc


def test_every_service_says_when_it_answers(plan_with: PlanWith) -> None:
    plan = plan_with(lambda d: d.update(api={"enabled": True}))
    assert len(plan.services) == 3
    for service in plan.services:
        assert service.healthcheck.tests[0] == "CMD"
        assert service.healthcheck.wait >= service.healthcheck.start_period
        assert service.port.bind_address == "127.0.0.1"
