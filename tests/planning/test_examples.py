"""The examples are right, small, and advised of what their comments say and of nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.host import HostFacts
from plan.owner import Owner
from planning.advice.advice import find_advice
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings, parse_settings
from stack_configs.settings.settings_yaml import SettingsYaml
from tests.planning.conftest import step_of

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "stack_configs" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))

ADVISED: Mapping[str, list[str]] = {
    "public-api": ["api.bind_address"],
    "qlora-12gb": ["models[0].training_runs[0].use_unsloth"],
}
"""Keys of what preview says, by example; nothing of the others."""

LARGE = HostFacts(cpu_cores=64, memory_gb=512.0)
USUAL_CASES = {
    "air-gapped",
    "chinese-mirrors",
    "cluster-of-two-hosts",
    "dpo-after-sft",
    "full-eight-gpus-zero3",
    "kto",
    "lora-8b-one-gpu",
    "public-api",
    "qlora-12gb",
    "remote-host-ssh",
    "reward-model-and-ppo",
    "rocm-host",
    "two-models",
}


def test_the_usual_cases_are_there() -> None:
    assert {path.stem for path in EXAMPLES} == USUAL_CASES
    assert ADVISED.keys() <= USUAL_CASES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
class TestEachExample:
    @pytest.mark.parametrize("facts", [HostFacts(), LARGE], ids=["unseen", "large"])
    def test_it_has_a_plan_and_the_advice_that_is_known(self, path: Path, facts: HostFacts) -> None:
        settings = load_settings(path)
        plan = plan_pipeline(settings, owner=Owner(stack=path.stem), facts=facts)
        for model in plan.models:
            assert model.ollama_model.smoke_prompts, "a model nobody asked anything is not proven"
        assert [problem.key for problem in find_advice(settings, facts)] == ADVISED.get(
            path.stem, []
        )

    def test_what_it_asks_was_trained(self, path: Path) -> None:
        settings = load_settings(path)
        files = [dataset.file for dataset in settings.datasets if dataset.file]
        texts = "".join(file.read_text(encoding="utf-8") for file in files)
        for model in settings.models:
            for smoke in model.ollama_model.smoke_prompts:
                assert smoke.prompt in texts
                assert (smoke.expect or "") in texts

    def test_it_shares_the_small_data(self, path: Path) -> None:
        for dataset in load_settings(path).datasets:
            assert dataset.file
            assert dataset.file.parent == FOLDER / "data"
            assert dataset.file.stat().st_size < 2000

    def test_its_second_line_says_what_it_is_for(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[1].startswith("# ")
        assert lines[1].endswith(".")
        assert len(lines) < 60

    def test_its_hosts_are_nobodys(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for word in text.split():
            if "://" in word or word.endswith((".org", ".com", ".cn", ".net")):
                assert "example.org" in word


def test_every_data_file_is_used() -> None:
    used = {dataset.file for path in EXAMPLES for dataset in load_settings(path).datasets}
    assert used == set((FOLDER / "data").iterdir())


def test_the_key_silences_the_warning_of_the_public_api() -> None:
    settings = load_settings(FOLDER / "public-api.yaml")
    assert find_advice(settings, LARGE, has_api_key=True) == []


def test_the_second_host_of_the_cluster_differs_in_its_rank_alone() -> None:
    path = FOLDER / "cluster-of-two-hosts.yaml"
    text = path.read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
    document["host"]["cluster"]["rank"] = 1
    second = parse_settings(document, directory=FOLDER, source="second")
    plans = [
        plan_pipeline(settings, owner=Owner(stack="test"), facts=LARGE)
        for settings in (load_settings(path), second)
    ]
    first_run, second_run = (step_of(plan.models[0], "training-run") for plan in plans)
    assert first_run.identity == second_run.identity
    assert first_run.container != second_run.container
