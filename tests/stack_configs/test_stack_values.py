"""Stacks and secrets that nothing could be done with are told before anything is asked."""

import pytest

from plan.problem import SettingsError
from stack_configs.settings.stack_values import judge_stack_values

KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"


def test_what_is_right_is_taken() -> None:
    judge_stack_values("finetune-stack-prod_1.eu", {"hub_token": "hf_Ab1-_"})
    judge_stack_values("s", {"registry_password": "rook & r\u00e4ven"})
    judge_stack_values("s", {"reverse_proxy_password": "x" * 72, "reverse_proxy_tls_key": KEY})


@pytest.mark.parametrize(
    "secret", ["hf_abc\n", "hf_a\nb", "hf_a b", "hf_\0", "hf_\u00e9", "\ufeffhf_a"]
)
def test_a_secret_that_no_header_can_carry_is_refused_and_never_repeated(secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        judge_stack_values("s", {"hub_token": "hf_right", "api_key": secret})
    (problem,) = caught.value.problems
    assert problem.key == "api_key"
    assert "pulumi config set --secret api_key" in problem.way_out
    assert "hf_" not in str(caught.value)


def test_a_stack_of_a_hundred_characters_is_refused() -> None:
    judge_stack_values("s" * 80, {})
    with pytest.raises(SettingsError, match="it has 81 characters, and Ollama takes 80"):
        judge_stack_values("s" * 81, {})


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("reverse_proxy_password", "x" * 73, "it has 73 characters, and its hash takes 72"),
        ("reverse_proxy_tls_key", "key.pem", "it is no private key in PEM"),
        ("reverse_proxy_tls_key", KEY.replace("PRIVATE KEY", "CERTIFICATE"), "it is no private"),
    ],
)
def test_what_the_reverse_proxy_could_not_use_is_refused(name: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        judge_stack_values("s", {name: value})
    (problem,) = caught.value.problems
    assert problem.key == name
    assert problem.rule.startswith(rule)
    assert f"pulumi config set --secret {name}" in problem.way_out
