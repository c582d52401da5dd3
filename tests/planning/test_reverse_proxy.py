"""The reverse proxy's plan: in front of what runs, and of nothing else (R4)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.problem import SettingsError
from plan.service import ServicePlan
from planning.host import ask_about_host
from planning.pipeline import plan_pipeline
from planning.reverse_proxy import reverse_proxy_problems
from stack_configs.settings.reverse_proxy import CERTIFICATE
from stack_configs.settings.root import Settings

SettingsWith = Callable[[Callable[[dict[str, Any]], Any]], Settings]
Proxied = Callable[..., Settings]
SECRETS = {"reverse_proxy_password", "reverse_proxy_tls_key"}
OWNER = Owner(stack="test")


@pytest.fixture
def proxied(settings_with: SettingsWith, directory: Path) -> Proxied:
    """Settings with a reverse proxy; `proxy` adds to its own section, the rest are others."""
    (directory / "proxy.pem").write_text(f"{CERTIFICATE}\nchain\n")

    def settings(proxy: dict[str, Any] | None = None, **sections: Any) -> Settings:
        own = {"enabled": True, "certificate": "proxy.pem", **(proxy or {})}
        return settings_with(lambda d: d.update({"reverse_proxy": own, **sections}))

    return settings


def plan_of(settings: Settings) -> PipelinePlan:
    return plan_pipeline(settings, owner=OWNER, facts=HostFacts())


def proxy_of(settings: Settings) -> ServicePlan:
    plan = plan_of(settings)
    assert plan.reverse_proxy is not None
    return plan.reverse_proxy


def test_without_the_setting_there_is_none(settings_with: SettingsWith) -> None:
    plan = plan_of(settings_with(lambda _: None))
    assert plan.reverse_proxy is None
    assert plan.images.reverse_proxy is None


def test_it_stands_in_front_of_what_runs_on_a_port_each(proxied: Proxied) -> None:
    proxy = proxy_of(proxied({"ports": {"api": 443}}, api={"enabled": True}))
    assert proxy.fronted_urls == {
        "ollama_server": "https://127.0.0.1:11443",
        "board": "https://127.0.0.1:7443",
        "api": "https://127.0.0.1:443/v1",
    }
    (caddyfile,) = proxy.container.command
    assert caddyfile.count("reverse_proxy ") == caddyfile.count("basicauth ") == 3
    assert "reverse_proxy test-board:7860" in caddyfile
    without_board = proxy_of(proxied(board={"enabled": False}))
    assert list(without_board.fronted_urls) == ["ollama_server"]


def test_it_listens_to_this_host_alone_unless_asked(proxied: Proxied) -> None:
    proxy = proxy_of(proxied({"bind_address": "::"}))
    assert {port.bind_address for port in proxy.container.ports} == {"::"}
    assert proxy.fronted_urls["board"] == "https://[::]:7443"
    assert {port.bind_address for port in proxy_of(proxied()).container.ports} == {"127.0.0.1"}


def test_its_secrets_come_by_name_and_its_key_reaches_no_disk(proxied: Proxied) -> None:
    proxy = proxy_of(proxied(host={"hardware": "npu", "gpu": {"count": 1}}))
    assert {"REVERSE_PROXY_PASSWORD", "REVERSE_PROXY_TLS_KEY"} <= {*proxy.secret_environment}
    assert "/tmp" in proxy.container.tmpfs


def test_what_it_cannot_start_without_is_told_at_once(proxied: Proxied) -> None:
    assert len(list(reverse_proxy_problems(proxied(), set()))) == 2
    (one,) = reverse_proxy_problems(proxied(), {"reverse_proxy_tls_key"})
    assert "reverse_proxy_password" in one.way_out
    assert list(reverse_proxy_problems(proxied(), SECRETS)) == []
    assert list(reverse_proxy_problems(proxied({"enabled": False}), set())) == []


def test_its_ports_are_asked_for_and_are_nobody_elses(proxied: Proxied) -> None:
    settings = proxied({"ports": {"board": 7444}})
    claims = {claim.key: claim for claim in ask_about_host(settings, OWNER).ports}
    assert claims["reverse_proxy.ports.board"].port == 7444
    assert claims["reverse_proxy.ports.board"].container == "test-reverse-proxy"
    # Of a service that does not run, no port is taken.
    assert "reverse_proxy.ports.api" not in claims


def test_two_services_on_one_port_are_told(proxied: Proxied) -> None:
    with pytest.raises(SettingsError) as caught:
        proxied(board={"port": 11443})
    (same,) = caught.value.problems
    assert (same.key, same.value) == ("reverse_proxy.ports.ollama_server", "11443")
    assert same.rule == "board.port is the same"
