"""Each rule of the policy pack, on resources as the engine tells of them."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel

PROJECT = Path(__file__).parents[2]
CONTAINER = "docker:index/container:Container"
PULLED = "docker:index/remoteImage:RemoteImage"
BUILT = "docker:index/image:Image"
PUBLIC = "0.0.0.0"  # noqa: S104 - judged, not bound
DIGEST = f"@sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def pack() -> ModuleType:
    """The pack, without the server that it becomes when Pulumi starts it."""
    spec = importlib.util.spec_from_file_location("policy_pack", PROJECT / "policy/__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def defaults(pack: ModuleType, name: str) -> dict[str, Any]:
    """What the engine gives a rule that nobody has configured."""
    (policy,) = (each for each in pack.POLICIES if each.name == name)
    properties = policy.config_schema.properties if policy.config_schema else {}
    return {key: value["default"] for key, value in properties.items()}


def judged(
    pack: ModuleType, name: str, kind: str, props: Mapping[str, Any], **config: Any
) -> list[str]:
    """What a rule says of one resource."""
    (policy,) = (each for each in pack.POLICIES if each.name == name)
    found: list[str] = []
    given = defaults(pack, name) | config
    told = SimpleNamespace(
        resource_type=kind, props=props, name="pipeline-it", urn="urn:it", get_config=lambda: given
    )
    policy.validate(told, lambda message, urn: found.append(message))
    return found


def judged_stack(pack: ModuleType, name: str, settings: Mapping[str, Any]) -> list[str]:
    """What a rule says of a stack with such settings."""
    (policy,) = (each for each in pack.POLICIES if each.name == name)
    found: list[str] = []
    others = SimpleNamespace(resource_type="pulumi:pulumi:Stack", props={}, urn="urn:stack")
    pipeline = SimpleNamespace(
        resource_type="finetune-stack:index:FineTunePipeline",
        props={"settings": settings, "ollama_url": "http://127.0.0.1:11434"},
        urn="urn:pipeline",
    )
    told = SimpleNamespace(resources=[others, pipeline], get_config=dict)
    policy.validate(told, lambda message, urn: found.append(f"{urn} {message}"))
    return found


class TestPublicBind:
    NAME = "no-public-bind-without-authentication"

    @pytest.mark.parametrize(
        ("address", "variables", "is_fine"),
        [
            ("127.0.0.1", [], True),
            ("127.0.0.2", [], True),
            ("::1", [], True),
            (PUBLIC, [], False),
            ("192.0.2.7", ["API_PORT=8000"], False),
            ("::", ["NO_API_KEY=1"], False),
            (None, [], False),
            (PUBLIC, ["API_KEY=hush"], True),
        ],
    )
    def test_who_can_reach_it(
        self, pack: ModuleType, address: str | None, variables: list[str], is_fine: bool
    ) -> None:
        props = {"ports": [{"internal": 1, "external": 8000.0, "ip": address}], "envs": variables}
        found = judged(pack, self.NAME, CONTAINER, props)
        assert (found == []) == is_fine
        assert all("8000" in message and "hush" not in message for message in found)

    def test_a_team_names_its_own_way_to_authenticate(self, pack: ModuleType) -> None:
        props = {"ports": [{"external": 1, "ip": "::"}], "envs": ["OIDC_ISSUER=x"]}
        assert judged(pack, self.NAME, CONTAINER, props)
        assert not judged(pack, self.NAME, CONTAINER, props, authenticatedBy=["OIDC_ISSUER"])

    def test_a_link_past_the_firewall_is_public(self, pack: ModuleType) -> None:
        props = {"ports": [], "envs": ["GRADIO_SHARE=1", "API_KEY=x"]}
        assert len(judged(pack, self.NAME, CONTAINER, props)) == 1

    def test_a_container_without_ports_is_reached_by_nobody(self, pack: ModuleType) -> None:
        assert judged(pack, self.NAME, CONTAINER, {}) == []


class TestUnpinnedImage:
    NAME = "no-unpinned-image"

    @pytest.mark.parametrize(
        ("image", "by_tag", "by_digest"),
        [
            ("ollama/ollama", False, False),
            ("ollama/ollama:latest", False, False),
            ("registry.example.org:5000/ollama", False, False),
            ("registry.example.org:5000/ollama:0.17.4", True, False),
            ("debian:trixie-slim", True, False),
            (f"debian:trixie-slim{DIGEST}", True, True),
            (f"debian{DIGEST}", True, True),
            ("finetune-stack/llamafactory-cpu:612f2e9f02a8e537", True, True),
        ],
    )
    def test_what_pins_an_image(
        self, pack: ModuleType, image: str, by_tag: bool, by_digest: bool
    ) -> None:
        for kind, props in (
            (PULLED, {"name": image}),
            (BUILT, {"imageName": "x", "build": {"args": {"BASE_IMAGE": image}}}),
        ):
            assert (judged(pack, self.NAME, kind, props) == []) == by_tag
            assert (judged(pack, self.NAME, kind, props, pinnedBy="digest") == []) == by_digest

    def test_a_build_that_names_its_base_itself(self, pack: ModuleType) -> None:
        assert judged(pack, self.NAME, BUILT, {"build": {"context": "."}}) == []


class TestSettings:
    SETTINGS: Mapping[str, Any] = {
        "volumes": {"output": {"retain": True, "host_path": None}},
        "models": [{"name": "guide", "ollama_model": {"evaluation": {"rows": [{}]}}}],
        "images": {"mirrors": {"proxy": "http://proxy.example.org:3128"}},
    }

    @pytest.mark.parametrize(
        "name", ["no-secret-in-settings", "output-is-retained", "evaluation-is-present"]
    )
    def test_a_stack_as_it_should_be(self, pack: ModuleType, name: str) -> None:
        assert judged_stack(pack, name, self.SETTINGS) == []

    def test_an_output_that_a_destroy_takes(self, pack: ModuleType) -> None:
        settings = {**self.SETTINGS, "volumes": {"output": {"retain": False, "host_path": None}}}
        (found,) = judged_stack(pack, "output-is-retained", settings)
        assert found.startswith("urn:pipeline ")
        settings["volumes"] = {"output": {"retain": False, "host_path": "/srv/models"}}
        assert judged_stack(pack, "output-is-retained", settings) == []

    def test_a_model_without_held_out_questions(self, pack: ModuleType) -> None:
        models = [*self.SETTINGS["models"], {"name": "other", "ollama_model": {"evaluation": None}}]
        (found,) = judged_stack(pack, "evaluation-is-present", {**self.SETTINGS, "models": models})
        assert "models[1] (other)" in found

    @pytest.mark.parametrize(
        "secret",
        [
            "hf_" + "a" * 34,
            "sk-proj-" + "a" * 40,
            "ghp_" + "a" * 36,
            "AKIA" + "A" * 16,
            "-----BEGIN EC PRIVATE KEY-----",
            "http://user:word@proxy.example.org",
        ],
    )
    def test_a_secret_is_found_by_its_looks_and_not_repeated(
        self, pack: ModuleType, secret: str
    ) -> None:
        settings = {**self.SETTINGS, "datasets": [{"rows": [{"prompt": f"Use {secret}"}]}]}
        (found,) = judged_stack(pack, "no-secret-in-settings", settings)
        assert "datasets[0].rows[0].prompt" in found
        assert secret not in found


def test_the_levels_of_the_stacks_are_of_rules_that_there_are(pack: ModuleType) -> None:
    names = {policy.name for policy in pack.POLICIES}
    levels = {level.value for level in EnforcementLevel}
    files = sorted((PROJECT / "policy").rglob("*.json"))
    assert files
    for file in files:
        for name, given in json.loads(file.read_text()).items():
            assert name in names | {"all"}
            level = given if isinstance(given, str) else given.get("enforcementLevel", "advisory")
            assert level in levels


def test_the_manual_names_every_rule_with_its_level(pack: ModuleType) -> None:
    manual = (PROJECT / "docs/policy.md").read_text(encoding="utf-8")
    for policy in pack.POLICIES:
        assert f"| `{policy.name}` | {policy.enforcement_level.value} |" in manual
