"""docs/security.md says of every container what its plan says."""

import re
from pathlib import Path

import pytest

from plan.container import NO_NETWORK, Container
from plan.host import HostFacts
from plan.owner import Owner
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings, parse_settings
from stack_configs.settings.reverse_proxy import CERTIFICATE

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w-]+)`([^|]*)\| (none|the stack's) \| (read-only|writable) \|$", re.M)


@pytest.fixture
def containers(tmp_path: Path) -> dict[str, Container]:
    """By the first cell of their row: those of the demo, and of a model of the hub on GPUs."""
    (certificate := tmp_path / "proxy.pem").write_text(CERTIFICATE)
    demo = load_settings(PROJECT / "stack_configs/demo.yaml")
    document = {
        "host": {"hardware": "cuda"},
        "api": {"enabled": True},
        "tensorboard": {"enabled": True},
        "metrics": {"enabled": True},
        "reverse_proxy": {"enabled": True, "certificate": str(certificate)},
        "datasets": [{"name": "q", "file": "data/stack_questions.json"}],
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"hub": "a/b-1B"},
                "training_runs": [{"datasets": ["q"], "finetuning_type": "full"}],
                "ollama_model": {"smoke_prompts": [{"prompt": "a", "expect": "b"}]},
            }
        ],
    }
    hub = parse_settings(document, directory=PROJECT / "stack_configs", source="page.yaml")
    found: dict[str, Container] = {}
    for kind, settings in (("generated", demo), ("fetched", hub)):
        plan = plan_pipeline(settings, owner=Owner(stack="page"), facts=HostFacts())
        for step in plan.container_steps:
            name = f"{step.noun}, {kind}" if step.noun == "base-model" else step.noun
            found[name] = step.container
        found |= {service.settings: service.container for service in plan.services}
    return found


def test_its_table_is_what_is_planned(containers: dict[str, Container]) -> None:
    table = {
        name + rest.rstrip(): (network, root) for name, rest, network, root in ROW.findall(PAGE)
    }
    planned = {
        name: (
            "none" if each.network == NO_NETWORK else "the stack's",
            "read-only" if each.read_only_root else "writable",
        )
        for name, each in containers.items()
    }
    assert table == planned
