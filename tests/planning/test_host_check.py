"""The one look at the host: ports, volumes, and where finished work vouches for itself (H1, H3)."""

from collections.abc import Callable
from typing import Any

from planning.host_check import HostCheckPlan, PortClaim

from planning.pipeline import PipelinePlan
from planning.volumes import plan_volumes
from stack_configs.settings.volumes import VolumesSettings

PlanWith = Callable[..., PipelinePlan]


class TestPorts:
    def ports(self, plan_with: PlanWith, **changes: Any) -> tuple[PortClaim, ...]:
        return plan_with(lambda d: d.update(changes)).host_check.ports

    def test_each_service_claims_its_port_under_the_settings_key(self, plan_with: PlanWith) -> None:
        ports = self.ports(
            plan_with,
            board={"port": 7000, "bind_address": "0.0.0.0"},  # noqa: S104
            ollama_server={"port": 11000},
        )
        assert {(claim.key, claim.bind_address, claim.port) for claim in ports} == {
            ("board.port", "0.0.0.0", 7000),  # noqa: S104
            ("ollama_server.port", "127.0.0.1", 11000),
        }

    def test_a_board_that_is_off_claims_none(self, plan_with: PlanWith) -> None:
        plan = plan_with(lambda d: d.update(board={"enabled": False}))
        assert plan.board is None
        assert [claim.key for claim in plan.host_check.ports] == ["ollama_server.port"]
        assert "test-board" not in plan.host_check.containers


class TestProbes:
    def plan(self, plan_with: PlanWith) -> tuple[PipelinePlan, HostCheckPlan]:
        plan = plan_with()
        return plan, plan.host_check

    def test_every_step_has_one_probe(self, plan_with: PlanWith) -> None:
        plan, check = self.plan(plan_with)
        (model,) = plan.models
        steps = [stage.name for stage in model.stages]
        assert [probe.step for probe in check.probes] == [
            "dataset-registration",
            *steps,
            model.ollama_model.name,
        ]

    def test_a_marker_lies_where_its_volume_is_mounted(self, plan_with: PlanWith) -> None:
        plan, check = self.plan(plan_with)
        for probe in check.probes:
            assert probe.volume in check.volumes
            assert probe.marker.startswith(f"{probe.mounted_at}/")
            assert probe.marker.endswith("/complete.json")
        mounted = {(mount.volume, mount.target) for mount in plan.ollama_server.container.mounts}
        assert ("ollama", "/root/.ollama") in mounted

    def test_an_ollama_model_vouches_by_its_manifest_too(self, plan_with: PlanWith) -> None:
        _, check = self.plan(plan_with)
        *steps, model = check.probes
        assert model.manifest
        assert model.manifest.startswith(model.mounted_at)
        assert all(probe.manifest is None for probe in steps)


class TestVolumes:
    def test_names_are_fixed_so_that_a_retained_volume_is_found_again(self) -> None:
        names = [volume.name for volume in plan_volumes(VolumesSettings(), "test")]
        assert names == ["test-data", "test-output", "test-hf-cache", "test-ollama"]

    def test_the_costly_ones_are_kept_unless_told_otherwise(self) -> None:
        plan = plan_volumes(VolumesSettings(), "test")
        assert [volume.role for volume in plan if volume.retain] == ["output", "hf_cache"]
        other = VolumesSettings.model_validate(
            {"output": {"retain": False}, "ollama": {"retain": True, "host_path": "/srv/ollama"}}
        )
        plan = plan_volumes(other, "test")
        assert [volume.role for volume in plan if volume.retain] == ["hf_cache", "ollama"]
        assert plan.ollama.host_path == "/srv/ollama"


class TestServices:
    def test_the_server_reads_models_where_they_were_made_and_cannot_change_them(
        self, plan_with: PlanWith
    ) -> None:
        (output,) = (
            mount
            for mount in plan_with().ollama_server.container.mounts
            if mount.volume == "output"
        )
        assert output.read_only

    def test_variables_of_the_operator_reach_the_server(self, plan_with: PlanWith) -> None:
        environment = {"OLLAMA_KEEP_ALIVE": "1h"}
        plan = plan_with(lambda d: d.update(ollama_server={"environment": environment}))
        assert environment.items() <= plan.ollama_server.container.environment.items()

    def test_every_service_says_when_it_answers(self, plan_with: PlanWith) -> None:
        plan = plan_with()
        assert plan.board
        for service in (plan.board, plan.ollama_server):
            assert service.healthcheck.tests[0] == "CMD"
            assert service.healthcheck.wait >= service.healthcheck.start_period
            assert service.port.bind_address == "127.0.0.1"
