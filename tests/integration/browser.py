"""A real Chromium: what a person sees of a page, and what the page does behind their back."""

# ruff: noqa: PLC0415 - what drives it is there where the tests of an engine are set up

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class Look:
    """How a person looks at a page."""

    scheme: Literal["light", "dark"]
    width: int
    height: int


LOOKS = (Look("light", 1280, 900), Look("dark", 1280, 900), Look("dark", 360, 740))
"""On a screen by day and by night, and on a phone."""


class Browser:
    """One Chromium; what it asked for and complained of belongs to the page that is open."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> "Browser":
        from playwright.sync_api import sync_playwright

        path = shutil.which("chromium")
        assert path is not None, "there is no chromium: run the tests with `make test`"
        self._playwright = sync_playwright().start()
        # As root there is no sandbox; the pages are this project's own.
        self._chromium = self._playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._chromium.close()
        self._playwright.stop()

    @contextmanager
    def page(self, look: Look, **context_options: Any) -> "Iterator[Page]":
        """An empty page; options are those of Playwright's browser contexts."""
        self.requests, self.complaints = [], []
        context = self._chromium.new_context(
            viewport={"width": look.width, "height": look.height},
            color_scheme=look.scheme,
            **context_options,
        )
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        try:
            yield page
        finally:
            context.close()


def go_to(page: "Page", url: str) -> None:
    """Open a page that a container serves, once no other container comes or goes meanwhile.

    Chromium gives up what it loads when the host's network gets a link or loses one.
    """
    from playwright.sync_api import Error

    for _ in range(20):
        try:
            page.goto(url, wait_until="networkidle")
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
        else:
            return
    raise AssertionError(f"{url} could not be loaded")


def accessibility_violations(page: "Page") -> list[str]:
    """What axe finds on a page, for people who see little, see no colours, or have no mouse."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html']} ({node['failureSummary']})"
        for rule in found
        for node in rule["nodes"]
    ]
