"""What a run is given for its trackers (T9)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.pipeline import PipelinePlan
from planning.trackers import missing_keys
from stack_configs.settings.root import Settings
from tests.planning.conftest import step_of
from tests.planning.test_chains import told

PlanWith = Callable[..., PipelinePlan]
MLFLOW = {"mlflow_url": "https://mlflow.example.org"}


def tracked(*names: str, **trackers: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["models"][0]["training_runs"][0]["report_to"] = list(names)
        document["trackers"] = trackers

    return change


def test_a_run_without_trackers_has_no_network_and_no_key(plan_with: PlanWith) -> None:
    run = step_of(plan_with().models[0], "training-run")
    assert run.container.network == "none"
    assert run.secret_environment == ()
    assert told(run)["report_to"] == "none"
    assert "run_name" not in told(run)


@pytest.mark.parametrize(
    ("tracker", "key"),
    [
        ("wandb", "WANDB_API_KEY"),
        ("swanlab", "SWANLAB_API_KEY"),
        ("mlflow", "MLFLOW_TRACKING_TOKEN"),
    ],
)
def test_who_tells_a_server_has_its_key_and_a_way_to_it(
    plan_with: PlanWith, tracker: str, key: str
) -> None:
    plan = plan_with(tracked(tracker, **MLFLOW))
    run = step_of(plan.models[0], "training-run")
    assert run.secret_environment == (key,)
    assert run.container.network == plan.network
    assert told(run)["report_to"] == [tracker]
    assert told(run)["run_name"] == "guide-sft"
    holders = [step for step in plan.container_steps if key in step.secret_environment]
    assert holders == [run]
    assert not any(key in service.secret_environment for service in plan.services)
    assert tracker in plan.images.llamafactory.args["EXTRAS"].split(",")


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb", "swanlab"])
def test_files_need_no_server(plan_with: PlanWith, tracker: str) -> None:
    run = step_of(plan_with(tracked(tracker, offline=True)).models[0], "training-run")
    assert run.container.network == "none"
    assert run.secret_environment == ()
    kept = [value for value in run.container.environment.values() if "/trackers" in value]
    assert kept
    assert all(value.startswith("/app/output/trackers") for value in kept)


def test_addresses_and_project_of_ones_own(plan_with: PlanWith) -> None:
    own = {"project": "p", "wandb_url": "https://w.example.org", **MLFLOW}
    plan = plan_with(tracked("wandb", "mlflow", **own))
    environment = step_of(plan.models[0], "training-run").container.environment
    assert (
        environment.items()
        >= {
            "WANDB_PROJECT": "p",
            "WANDB_BASE_URL": "https://w.example.org",
            "MLFLOW_EXPERIMENT_NAME": "p",
            "MLFLOW_TRACKING_URI": "https://mlflow.example.org",
        }.items()
    )


def test_the_way_out_of_the_network_is_the_proxy(plan_with: PlanWith) -> None:
    def change(document: dict[str, Any]) -> None:
        tracked("wandb")(document)
        document["images"] = {"mirrors": {"proxy": "http://proxy.example.org:3128"}}

    environment = step_of(plan_with(change).models[0], "training-run").container.environment
    assert environment["HTTPS_PROXY"] == "http://proxy.example.org:3128"
    assert "HF_ENDPOINT" not in environment


@pytest.mark.parametrize(
    ("trackers", "configured", "missing"),
    [
        ({}, set(), "wandb_api_key"),
        ({}, {"swanlab_api_key"}, "wandb_api_key"),
        ({}, {"wandb_api_key"}, None),
        ({"offline": True}, set(), None),
    ],
)
def test_a_server_that_lets_nobody_in_without_a_key(
    settings_with: Callable[..., Settings],
    trackers: dict[str, Any],
    configured: set[str],
    missing: str | None,
) -> None:
    settings = settings_with(tracked("wandb", "tensorboard", "mlflow", **MLFLOW | trackers))
    problems = list(missing_keys(settings, configured))
    assert [problem.key for problem in problems] == (
        ["models[0].training_runs[0].report_to"] if missing else []
    )
    assert all(f"--secret {missing}`" in problem.way_out for problem in problems)


def test_tensorboard_reads_the_output_volume_alone(plan_with: PlanWith) -> None:
    plan = plan_with(lambda document: document.update(tensorboard={"enabled": True, "port": 7006}))
    service = plan.tensorboard
    assert service
    (mount,) = service.container.mounts
    assert mount.read_only
    assert mount == plan.volumes.output.mount(read_only=True)
    assert (service.port.external, service.port.bind_address) == (7006, "127.0.0.1")
    assert "tensorboard" in plan.images.llamafactory.args["EXTRAS"].split(",")
    assert plan_with().tensorboard is None
