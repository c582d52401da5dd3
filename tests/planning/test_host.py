"""The one look at the host: what is asked, what is looked for, what is too little (H1, H3)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.host import (
    HostFacts,
    HostFindings,
    HostQuestions,
    HubModel,
    ModelFolder,
    Tokens,
)
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.problem import Problem, SettingsError
from planning.host import ask_about_host, ask_for_tokens, judge_host
from planning.pipeline import plan_pipeline
from stack_configs.settings.root import Settings

PlanWith = Callable[..., PipelinePlan]
SettingsWith = Callable[..., Settings]
Ask = Callable[..., HostQuestions]
OWNER = Owner(stack="test")


@pytest.fixture
def ask(settings_with: SettingsWith) -> Ask:
    """The questions about the host of the document with some sections replaced."""
    return lambda **sections: ask_about_host(settings_with(lambda d: d.update(sections)), OWNER)


class TestPorts:
    def test_each_service_claims_its_port_under_the_settings_key(self, ask: Ask) -> None:
        questions = ask(
            board={"port": 7000, "bind_address": "0.0.0.0"},  # noqa: S104
            ollama_server={"port": 11000},
            api={"enabled": True, "port": 8123},
        )
        claims = {(claim.key, claim.bind_address, claim.port) for claim in questions.ports}
        assert claims == {
            ("board.port", "0.0.0.0", 7000),  # noqa: S104
            ("ollama_server.port", "127.0.0.1", 11000),
            ("api.port", "127.0.0.1", 8123),
        }

    @pytest.mark.parametrize("api", [False, True])
    @pytest.mark.parametrize("board", [False, True])
    def test_those_that_hold_the_ports_are_the_services_of_the_plan(
        self, plan_with: PlanWith, ask: Ask, board: bool, api: bool
    ) -> None:
        sections = {"board": {"enabled": board}, "api": {"enabled": api}}
        questions, plan = ask(**sections), plan_with(lambda d: d.update(sections))
        assert (plan.board is not None, plan.api is not None) == (board, api)
        assert {(claim.container, claim.port) for claim in questions.ports} == {
            (service.name, service.port.external) for service in plan.services
        }
        assert set(questions.containers) == {service.name for service in plan.services}


class TestQuestions:
    def test_what_is_asked_about_is_what_the_plan_makes(
        self, plan_with: PlanWith, ask: Ask
    ) -> None:
        questions, plan = ask(), plan_with()
        assert set(questions.volumes) == {volume.name for volume in plan.volumes}
        assert questions.networks == (plan.network,)

    def test_a_directory_in_a_volumes_place_is_no_volume(self, ask: Ask) -> None:
        questions = ask(volumes={"data": {"host_path": "/srv/data"}})
        assert "test-data" not in questions.volumes

    def test_the_host_that_the_settings_describe(self, ask: Ask) -> None:
        host = {"hardware": "cuda", "gpu": {"count": 2}, "engine": "ssh://user@gpu-box"}
        questions = ask(host=host | {"minimum": {"cpu_cores": 8}})
        assert (questions.hardware, questions.gpu_count) == ("cuda", 2)
        assert questions.engine == "ssh://user@gpu-box"
        assert questions.minimum.cpu_cores == 8
        assert ask(host={"hardware": "cuda"}).gpu_count is None

    def test_pulled_images_by_the_name_that_they_are_pulled_under(self, ask: Ask) -> None:
        ready = {"llamafactory": {"image": "acme/factory:1"}, "converter": {"image": "acme/c:1"}}
        assert ask(images=ready).pulled_images == ("acme/factory:1", "acme/c:1")
        mirrored = ask(images=ready | {"mirrors": {"registry": "m.example.org"}})
        assert mirrored.pulled_images == ("m.example.org/acme/factory:1", "m.example.org/acme/c:1")
        assert ask().pulled_images == ()

    @pytest.mark.parametrize(
        ("base", "hub_models", "model_folders"),
        [
            ({"generate": {}}, (), ()),
            ({"hub": "a/b-1B"}, (HubModel(id="a/b-1B", revision="main"),), ()),
            (
                {"modelscope": "a/b-1B"},
                (HubModel(id="a/b-1B", revision="master", hub="modelscope"),),
                (),
            ),
            (
                {"path": "/app/output/mine"},
                (),
                (
                    ModelFolder(
                        source="test-output", mounted_at="/app/output", path="/app/output/mine"
                    ),
                ),
            ),
            # In no volume: the image brings it, and the image's digest counts.
            ({"path": "/opt/models/mine"}, (), ()),
        ],
    )
    def test_base_models_that_may_change_under_their_name(
        self,
        settings_with: SettingsWith,
        base: dict[str, Any],
        hub_models: tuple[HubModel, ...],
        model_folders: tuple[ModelFolder, ...],
    ) -> None:
        settings = settings_with(lambda d: d["models"][0].update(base_model=base))
        questions = ask_about_host(settings, OWNER)
        assert questions.hub_models == hub_models
        assert questions.model_folders == model_folders

    def test_a_model_in_a_directory_of_the_host(self, settings_with: SettingsWith) -> None:
        def change(document: dict[str, Any]) -> None:
            document["models"][0]["base_model"] = {"path": "/app/data/mine"}
            document["volumes"] = {"data": {"host_path": "/srv/data"}}

        (folder,) = ask_about_host(settings_with(change), OWNER).model_folders
        assert (folder.source, folder.mounted_at) == ("/srv/data", "/app/data")


class TestProbes:
    def test_every_step_has_one_probe(self, plan_with: PlanWith) -> None:
        plan = plan_with()
        (model,) = plan.models
        assert [probe.step for probe in ask_for_tokens(plan).probes] == [
            "test-dataset-registration",
            *(step.name for step in model.steps),
            model.ollama_model.name,
        ]

    def test_a_marker_lies_where_its_volume_is_mounted(self, plan_with: PlanWith) -> None:
        plan = plan_with()
        places = {(volume.source, volume.target) for volume in plan.volumes}
        for probe in ask_for_tokens(plan).probes:
            assert (probe.source, probe.mounted_at) in places
            assert probe.marker.startswith(f"{probe.mounted_at}/")
            assert probe.marker.endswith("/complete.json")
        mounted = {(mount.source, mount.target) for mount in plan.ollama_server.container.mounts}
        assert ("test-ollama", "/root/.ollama") in mounted

    def test_a_directory_of_the_host_is_looked_into_as_well(self, plan_with: PlanWith) -> None:
        plan = plan_with(lambda d: d.update(volumes={"output": {"host_path": "/srv/output"}}))
        sources = {probe.source for probe in ask_for_tokens(plan).probes}
        assert sources == {"test-data", "/srv/output", "test-ollama"}

    def test_an_ollama_model_vouches_by_its_manifest_too(self, plan_with: PlanWith) -> None:
        *steps, model = ask_for_tokens(plan_with()).probes
        assert model.manifest
        assert model.manifest.startswith(model.mounted_at)
        assert all(probe.manifest is None for probe in steps)

    def test_built_images_and_services_are_looked_for_too(self, plan_with: PlanWith) -> None:
        plan = plan_with()
        questions = ask_for_tokens(plan)
        # Ollama's image is pulled: its own resource sees that it is gone.
        assert questions.images == {
            "llamafactory": plan.images.llamafactory.reference,
            "converter": plan.images.converter.reference,
        }
        assert questions.services == ("test-ollama-server", "test-board")


def judged(settings: Settings, findings: HostFindings, tokens: Tokens) -> None:
    plan = plan_pipeline(settings, owner=OWNER, facts=findings.facts)
    judge_host(settings, plan, findings, tokens)


class TestJudgement:
    PROBLEM = Problem("host.hardware", "'cuda'", "no driver is there", "Install one")
    MISSING = Tokens(missing=("test-guide-sft",))

    def problems(
        self, settings: Settings, findings: HostFindings, tokens: Tokens = MISSING
    ) -> tuple[Problem, ...]:
        with pytest.raises(SettingsError) as caught:
            judged(settings, findings, tokens)
        return caught.value.problems

    def test_everything_is_told_at_once(self, settings_with: SettingsWith) -> None:
        findings = HostFindings(facts=HostFacts(disk_free_gb=3), problems=(self.PROBLEM,))
        settings = settings_with(lambda d: d["host"].update(minimum={"disk_gb": 50}))
        hardware, room = self.problems(settings, findings)
        assert hardware == self.PROBLEM
        assert str(room) == (
            "host.minimum.disk_gb is 50: 3 GB are free at the engine's data root. Take a larger "
            "host, or lower the minimum if this stack needs less."
        )

    @pytest.mark.parametrize(
        ("facts", "tokens"),
        [
            (HostFacts(disk_free_gb=50), MISSING),
            # Nobody could look.
            (HostFacts(), MISSING),
            # A finished stack has used its room.
            (HostFacts(disk_free_gb=3), Tokens()),
        ],
    )
    def test_room_is_demanded_for_what_is_still_to_be_made(
        self, settings_with: SettingsWith, facts: HostFacts, tokens: Tokens
    ) -> None:
        settings = settings_with(lambda d: d["host"].update(minimum={"disk_gb": 50}))
        judged(settings, HostFindings(facts=facts), tokens)
        findings = HostFindings(facts=facts, problems=(self.PROBLEM,))
        assert self.problems(settings, findings, tokens) == (self.PROBLEM,)

    def test_the_guides_minimum_refuses_nobody(self, settings_with: SettingsWith) -> None:
        judged(settings_with(), HostFindings(facts=HostFacts(disk_free_gb=3)), self.MISSING)
