"""Whose Go builds the CLI."""

import pytest

from toolchain.offline.go import NEEDED, GoRoute, HostGo, choose_go, parse_go_version
from toolchain.places import REPOSITORY


@pytest.mark.parametrize(
    ("host", "route"),
    [
        (None, GoRoute.PACKAGE),
        (HostGo(NEEDED, may_switch=False), GoRoute.HOST),
        (HostGo((1, 26, 0), may_switch=False), GoRoute.HOST),
        (HostGo((1, 25, 10), may_switch=False), GoRoute.PACKAGE),
        (HostGo((1, 21, 0), may_switch=True), GoRoute.HOST),
        (HostGo((1, 20, 9), may_switch=True), GoRoute.PACKAGE),
        (HostGo((0,), may_switch=False), GoRoute.PACKAGE),
    ],
)
def test_the_hosts_own_go_when_it_can(host: HostGo | None, route: GoRoute) -> None:
    assert choose_go(host) is route


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8", (1, 26, 8)), ("go1.27", (1, 27, 0)), ("devel +abc", (0,))],
)
def test_versions_are_read(text: str, version: tuple[int, ...]) -> None:
    assert parse_go_version(text) == version


def test_what_is_needed_is_what_the_module_asks_for() -> None:
    module = (REPOSITORY / "toolchain/offline/cli/go.mod").read_text()

    assert f"\ngo {'.'.join(map(str, NEEDED))}\n" in module
