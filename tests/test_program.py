"""`__main__.py` as a whole: settings become resources and exports, a mistake becomes a sentence."""

import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import rpc, set_all_config

from plan.host import HostFacts, HostFindings, HostQuestions, TokenQuestions, Tokens
from plan.image import BUILD_ARGUMENT
from plan.owner import Owner
from plan.problem import Problem
from plan.step import DatasetRegistrationStep
from runtime.host import look
from stack_configs.settings.settings_yaml import SettingsYaml
from tests.pulumi_recorder import RESULTS, STACK_TYPE, Recorder, is_secret, name_of, run

PROJECT = Path(__file__).parents[1]
RECORDED_STATE = PROJECT / "tests/integration/recorded_state.json"
"""What the version before left of the demo."""

NOBODY = "tcp://127.0.0.1:1"
"""An address that nothing listens at."""

EXPORTS = {
    "ollama_url",
    "board_url",
    "api_url",
    "tensorboard_url",
    "metrics_url",
    "reverse_proxy_urls",
    "accelerators",
    "models",
    "smoke_answers",
    "evaluations",
    "kept_models",
    "published",
    "parity",
    "training_results",
    "forecast",
    "volumes",
}


CHECKED = "artefacts were held against their sums"


@dataclass
class Host:
    """A host in place of the real one; shows what a test has put there."""

    facts: HostFacts = field(default_factory=HostFacts)
    problems: tuple[Problem, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: Mapping[str, str] = field(default_factory=dict)
    asked: list[HostQuestions | TokenQuestions] = field(default_factory=list)

    def look(
        self, engine: str | None, owner: Owner, *, asks: bool, secrets: Mapping[str, str]
    ) -> "Look":
        assert asks, "a look that asks nobody needs no host"
        return Look(self)


@dataclass
class Look:
    """Answers in place of `runtime.host.look.HostLook`."""

    host: Host

    def findings(self, questions: HostQuestions) -> HostFindings:
        self.host.asked.append(questions)
        return HostFindings(facts=self.host.facts, problems=self.host.problems)

    def tokens(self, questions: TokenQuestions, *, checks: Callable[[str], None] | None) -> Tokens:
        self.host.asked.append(questions)
        if checks is not None:
            checks(CHECKED)
        return Tokens(
            steps={probe.step: f"token-{probe.step}" for probe in questions.probes},
            images={role: f"token-{role}" for role in questions.images},
            missing=self.host.missing,
            damaged=self.host.damaged,
        )


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(look, "HostLook", made.look)
    return made


@pytest.fixture(autouse=True)
def operators_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Not that of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", found.__setitem__)
    return found


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[..., str]:
    """A copy of an environment's settings after a change."""

    def write(environment: str, change: Callable[[dict[str, Any]], Any]) -> str:
        text = (PROJECT / f"stack_configs/{environment}.yaml").read_text()
        document = yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
        for dataset in document["datasets"]:
            dataset["file"] = str(PROJECT / "stack_configs" / dataset["file"])
        change(document)
        (tmp_path / "changed.yaml").write_text(yaml.safe_dump(document))
        return str(tmp_path / "changed.yaml")

    return write


def run_program(
    stack_config: str | None,
    *,
    stack: str = "test",
    preview: bool = False,
    secrets: dict[str, str] | None = None,
    recorder: Recorder | None = None,
) -> Recorder:
    """Runs the program; a recorder given to it keeps what came before an error."""
    recorder = recorder or Recorder()
    recorder.start(stack, preview=preview)
    named = {"stack_config": stack_config} if stack_config else {}
    config = {f"finetune-stack:{key}": value for key, value in (named | (secrets or {})).items()}
    set_all_config(config, [f"finetune-stack:{key}" for key in secrets or {}])

    def program() -> None:
        runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")

    run(program)
    return recorder


def refusal(stack_config: str, **options: Any) -> str:
    """What the program says instead of deploying: a sentence, without a trace, and no resource."""
    recorder = Recorder()
    with pytest.raises(pulumi.RunError) as caught:
        run_program(stack_config, recorder=recorder, **options)
    assert caught.value.__suppress_context__, "its cause would be printed as a stack trace"
    assert [each.type for each in recorder.registered if each.type != STACK_TYPE] == []
    return str(caught.value)


class TestDeployment:
    @pytest.mark.parametrize("environment", ["demo", "dev"])
    def test_each_environment_of_the_project_deploys(
        self, environment: str, host: Host, exports: dict[str, Any]
    ) -> None:
        recorder = run_program(environment)
        assert exports.keys() == EXPORTS
        assert len(recorder.registered) > 20
        assert [type(questions) for questions in host.asked] == [HostQuestions, TokenQuestions]

    def test_what_was_found_in_data_files_is_remembered(
        self, host: Host, exports: dict[str, Any], operators_cache: Path
    ) -> None:
        run_program("demo")
        assert len(list(operators_cache.rglob("data-files/*.json"))) == 2

    def test_a_stack_that_names_no_environment_is_called_like_it(
        self, host: Host, exports: dict[str, Any]
    ) -> None:
        recorder = run_program(None, stack="demo")
        assert recorder.one("pipeline-network").inputs["name"] == "finetune-stack-demo-network"

    def test_what_a_state_of_the_version_before_holds_is_still_there(
        self, host: Host, exports: dict[str, Any]
    ) -> None:
        """Under the same type, name and parent, which are its URN: else it would be made anew."""
        recorder = run_program("demo", stack="demo")
        now = {(each.type, each.name, each.parent) for each in recorder.registered}
        recorded = json.loads(RECORDED_STATE.read_text())["deployment"]["resources"]
        then = {
            (
                each["type"],
                name_of(each["urn"]),
                name_of(each["parent"]) if "parent" in each else None,
            )
            for each in recorded
        }
        assert len(then) == len(recorded) == 32
        assert then - now == set()

    def test_nothing_goes_to_another_engine_than_the_settings_name(
        self, host: Host, exports: dict[str, Any], settings_file: Callable[..., str]
    ) -> None:
        remote = "ssh://user@gpu-box"
        path = settings_file("demo", lambda document: document["host"].update(engine=remote))
        recorder = run_program(path)
        provider = recorder.one("engine")
        assert provider.inputs["host"] == remote
        for each in recorder.registered:
            if each.type.startswith("docker:"):
                assert provider.urn in each.request.provider, each.name
        assert recorder.step("pipeline-stack-guide-sft-command").engine == remote

    def test_tokens_reach_the_steps_and_the_builds(
        self, host: Host, exports: dict[str, Any]
    ) -> None:
        recorder = run_program("demo")
        name = "finetune-stack-test-stack-guide-sft"
        assert recorder.step("pipeline-stack-guide-sft-command").token == f"token-{name}"
        registration = recorder.step(
            "pipeline-dataset-registration-command", DatasetRegistrationStep
        )
        assert registration.token == "token-finetune-stack-test-dataset-registration"
        build = recorder.one("pipeline-images-llamafactory").inputs["build"]
        assert build["args"][BUILD_ARGUMENT] == "token-llamafactory"

    def test_secrets_of_the_configuration_stay_secret(
        self, host: Host, exports: dict[str, Any]
    ) -> None:
        recorder = run_program("dev", secrets={"hub_token": "hf_very_secret", "api_key": "sesame"})
        (fetch,) = (
            each
            for each in recorder.registered
            if each.name.startswith("pipeline-base-model-") and each.name.endswith("-command")
        )
        environment = fetch.inputs["environment"]
        assert "hf_very_secret" in str(environment)
        assert is_secret(environment) or is_secret(environment["HF_TOKEN"])
        elsewhere = str(
            [
                {key: value for key, value in each.inputs.items() if key != "environment"}
                for each in recorder.registered
            ]
        )
        assert "hf_very_secret" not in elsewhere
        assert "sesame" not in elsewhere, "nothing asks for the key: the API is off"


class TestMistakes:
    def test_an_unknown_environment(self) -> None:
        assert "Choose one of: demo, dev" in refusal("nowhere")

    def test_a_secret_of_two_lines_and_a_stack_without_end(self) -> None:
        said = refusal("demo", stack="s" * 90, secrets={"hub_token": "hf_private\n"})
        assert "hf_private" not in said
        assert [line.partition(":")[0] for line in said.splitlines()[1:]] == [
            f"  - the stack's name is finetune-stack-{'s' * 90}",
            "  - hub_token",
        ]

    def test_several_wrong_settings(self, settings_file: Callable[..., str]) -> None:
        def change(document: dict[str, Any]) -> None:
            document["models"][0]["template"] = "llama33"
            document["host"]["hardwear"] = document["host"].pop("hardware")

        told = refusal(settings_file("demo", change))
        assert "2 problems" in told
        assert "models[0].template is 'llama33'" in told
        assert "host.hardwear" in told

    def test_every_problem_of_the_host(self, host: Host) -> None:
        host.problems = (
            Problem("board.port", "7860", "in use", "Choose another"),
            Problem("host.minimum.memory_gb", "4", "the host has 2", "Take a larger one"),
        )
        host.facts, host.missing = HostFacts(disk_free_gb=1.0), ("finetune-stack-test-merge",)
        assert refusal("demo") == (
            "the host: 3 problems\n"
            "  - board.port is 7860: in use. Choose another.\n"
            "  - host.minimum.memory_gb is 4: the host has 2. Take a larger one.\n"
            "  - host.minimum.disk_gb is 10: 1 GB are free at the engine's data root. "
            "Take a larger host, or lower the minimum if this stack needs less."
        )

    def test_an_engine_that_is_not_there(self, settings_file: Callable[..., str]) -> None:
        """The real look."""
        path = settings_file("demo", lambda document: document["host"].update(engine=NOBODY))
        assert f"host.engine is {NOBODY}" in refusal(path)

    def test_a_finished_stack_has_used_its_room(self, host: Host, exports: dict[str, Any]) -> None:
        host.facts = HostFacts(disk_free_gb=1.0)
        run_program("demo")
        assert exports.keys() == EXPORTS


class TestDamage:
    @pytest.mark.parametrize(("preview", "told"), [(False, [CHECKED]), (True, [])])
    def test_an_up_checks_what_it_builds_on_and_a_preview_reads_no_weights(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        preview: bool,
        told: list[str],
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "info", said.append)
        run_program("demo", preview=preview)
        assert [line for line in said if line == CHECKED] == told

    def test_an_up_that_comes_to_nothing_checks_nothing(
        self, host: Host, exports: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "info", said.append)
        host.problems = (Problem("host.engine", "unix:///x", "it does not answer", "Start it"),)
        with pytest.raises(pulumi.RunError):
            run_program("demo")
        assert said == []

    def test_what_is_damaged_is_told(
        self, host: Host, exports: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "info", said.append)
        host.damaged = {"finetune-stack-test-stack-guide-merge": "config.json is gone"}
        run_program("demo")
        assert (
            "stack-guide-merge is damaged: config.json is gone. It is made again before anything "
            "reads it"
        ) in said


class TestAdvice:
    def test_what_holds_a_training_back_is_a_warning(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        settings_file: Callable[..., str],
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "warn", said.append)

        def change(document: dict[str, Any]) -> None:
            document["models"][0]["training_runs"][0]["precision"] = "fp32"

        run_program(settings_file("dev", change))
        assert [text.split(":")[0] for text in said] == [
            "models[0].training_runs[0].precision is 'fp32'"
        ]
        assert exports.keys() == EXPORTS, "a warning ends nothing"

    def test_the_grade_of_the_host_is_told(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "info", said.append)
        host.facts = HostFacts(cpu_cores=8, memory_gb=32)
        run_program("demo", preview=True)
        assert [line for line in said if line.startswith("hardware of the host: recommended")]

    def test_what_is_still_to_train_is_told_when_a_training_has_ended(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        settings_file: Callable[..., str],
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "info", said.append)
        figures = {"train_runtime": 600.0, "total_flos": 1e12}
        monkeypatch.setitem(RESULTS, "training-run", figures)
        run = "finetune-stack-test-stack-guide"
        host.missing = (f"{run}-sft", f"{run}-more")

        def change(document: dict[str, Any]) -> None:
            runs = document["models"][0]["training_runs"]
            runs.append({**runs[0], "name": "more", "max_steps": 30})

        run_program(settings_file("demo", change))
        steps = [line for line in said if "steps of 8 rows" in line]
        before, after = steps[:2], steps[2:]
        assert [line.partition(",")[0] for line in before] == ["stack-guide"] * 2
        assert not [line for line in before if "going by" in line]
        # Here nothing takes any time: whichever ends first tells of the other.
        assert len(after) == 1
        assert after[0].startswith("still to train: stack-guide, ")
        assert "going by 1 earlier training of" in after[0]

    @pytest.mark.parametrize(
        ("secrets", "warned"),
        [({}, ["api.bind_address is '0.0.0.0'"]), ({"api_key": "sesame"}, [])],
    )
    def test_a_public_api_is_a_warning_until_it_has_a_key(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        settings_file: Callable[..., str],
        secrets: dict[str, str],
        warned: list[str],
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "warn", said.append)
        api = {"enabled": True, "bind_address": "0.0.0.0"}  # noqa: S104 - what is warned of
        path = settings_file("demo", lambda document: document.update(api=api))
        run_program(path, secrets=secrets)
        assert [text.split(":")[0] for text in said] == warned
        assert "sesame" not in str(said)

    def test_what_only_a_container_saw_is_a_warning_too(
        self,
        host: Host,
        exports: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        settings_file: Callable[..., str],
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(pulumi.log, "warn", said.append)
        (seen,) = RESULTS["accelerator-check"]["accelerators"]

        def change(document: dict[str, Any]) -> None:
            document["host"]["gpu"].pop("memory_gb", None)
            document["models"][0]["base_model"]["hub"] = "meta-llama/Meta-Llama-3-70B-Instruct"

        run_program(settings_file("dev", change))
        (warning,) = said
        assert f"the smallest GPU has {seen['memory_gb']} GB" in warning


class TestPlanOnly:
    """`host.check: plan_only`: a preview for a host that is somewhere else."""

    @pytest.fixture
    def plan_only(self, settings_file: Callable[..., str]) -> str:
        """Settings for a GPU host; nothing listens where its engine is said to be."""

        def change(document: dict[str, Any]) -> None:
            document["host"] |= {"check": "plan_only", "engine": NOBODY}

        return settings_file("dev", change)

    def test_a_preview_asks_no_engine(self, exports: dict[str, Any], plan_only: str) -> None:
        recorder = run_program(plan_only, preview=True)
        # A provider whose host is unknown is not configured.
        assert recorder.one("engine").request.object["host"] == rpc.UNKNOWN
        assert recorder.one("pipeline-stack-guide-sft").type == "finetune-stack:index:TrainingRun"
        assert exports.keys() == EXPORTS

    def test_an_up_looks_all_the_same(self, plan_only: str) -> None:
        assert f"host.engine is {NOBODY}" in refusal(plan_only)

    def test_other_previews_look(self, host: Host, exports: dict[str, Any]) -> None:
        run_program("dev", preview=True)
        assert len(host.asked) == 2
