"""What `Pulumi.yaml` says of a stack's configuration."""

import yaml

from plan import secret
from tests.integration.stack import PROJECT


def test_no_stack_has_to_set_anything_and_every_secret_is_declared() -> None:
    declared = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    for name, rule in declared.items():
        assert isinstance(rule, dict), name
        # Pulumi takes a typed value without a default for one that every stack has to have.
        assert "default" in rule, name
    secrets = {name for name, rule in declared.items() if rule.get("secret")}
    assert {f"finetune-stack:{name}" for name in secret.VARIABLES} <= secrets
