"""Whoever opens a service to others is told what they can do with it (T1, E1, E5)."""

from collections.abc import Callable
from typing import Any

import pytest

from planning.advice.exposure import about_exposure
from stack_configs.settings.root import Settings

SettingsWith = Callable[[Callable[[dict[str, Any]], Any]], Settings]
INSECURE = "registry.insecure"
PUBLIC = "0.0.0.0"  # noqa: S104 - what is warned of


@pytest.mark.parametrize(
    ("sections", "has_api_key", "keys"),
    [
        ({}, False, []),
        ({"api": {"enabled": True}}, False, []),
        ({"api": {"enabled": True, "bind_address": PUBLIC}}, False, ["api.bind_address"]),
        ({"api": {"enabled": True, "bind_address": "192.0.2.7"}}, False, ["api.bind_address"]),
        ({"api": {"enabled": True, "bind_address": "::"}}, False, ["api.bind_address"]),
        ({"api": {"enabled": True, "bind_address": PUBLIC}}, True, []),
        ({"api": {"enabled": True, "bind_address": "127.0.0.2"}}, False, []),
        ({"api": {"enabled": True, "bind_address": "::1"}}, False, []),
        ({"api": {"enabled": False, "bind_address": PUBLIC}}, False, []),
        ({"ollama_server": {"bind_address": PUBLIC}}, False, ["ollama_server.bind_address"]),
        # The API's key is no key of the others.
        ({"ollama_server": {"bind_address": PUBLIC}}, True, ["ollama_server.bind_address"]),
        ({"board": {"bind_address": PUBLIC}}, True, ["board.bind_address"]),
        ({"board": {"enabled": False, "bind_address": PUBLIC, "share": True}}, False, []),
        ({"board": {"share": True}}, True, ["board.share"]),
        (
            {"tensorboard": {"enabled": True, "bind_address": PUBLIC}},
            True,
            ["tensorboard.bind_address"],
        ),
        ({"tensorboard": {"bind_address": PUBLIC}}, True, []),
        ({"metrics": {"enabled": True, "bind_address": PUBLIC}}, True, ["metrics.bind_address"]),
        ({"metrics": {"bind_address": PUBLIC}}, True, []),
        ({"registry": {"host": "r:5000", "username": "a", "insecure": True}}, False, [INSECURE]),
        ({"registry": {"host": "r:5000", "username": "a"}}, False, []),
        ({"registry": {"host": "r:5000", "insecure": True}}, False, []),
        ({"registry": {"host": "localhost:5", "username": "a", "insecure": True}}, False, []),
        (
            {"board": {"bind_address": PUBLIC, "share": True}},
            False,
            ["board.bind_address", "board.share"],
        ),
    ],
)
def test_what_others_can_reach(
    settings_with: SettingsWith, sections: dict[str, Any], has_api_key: bool, keys: list[str]
) -> None:
    settings = settings_with(lambda document: document.update(sections))
    assert [each.key for each in about_exposure(settings, has_api_key=has_api_key)] == keys


def test_it_says_what_that_means_and_the_way_out(settings_with: SettingsWith) -> None:
    sections = {
        "api": {"enabled": True, "bind_address": PUBLIC},
        "ollama_server": {"bind_address": PUBLIC},
        "board": {"share": True},
    }
    settings = settings_with(lambda document: document.update(sections))
    api, ollama, share = map(str, about_exposure(settings, has_api_key=False))
    assert "pulumi config set --secret api_key" in api
    assert "knows no keys" in ollama
    assert "127.0.0.1" in ollama
    assert "public link" in share
    assert "without a password" in share
