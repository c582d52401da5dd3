"""The page as one file of HTML: nothing in it is loaded from elsewhere."""

from collections.abc import Iterator, Mapping, Sized

from jinja2 import Environment, PackageLoader, StrictUndefined

from report.page import Page

SECTIONS = {
    "models": "Models",
    "training": "Training",
    "changes": "What changed",
    "evaluation": "Evaluation",
    "parity": "Parity with the training",
    "memory": "GPU memory",
    "time": "Training time",
    "graph": "Graph",
    "steps": "Steps",
    "settings": "Settings",
    "versions": "Versions and digests",
}
"""In their order: a template of its name each."""


def html_of(page: Page) -> str:
    """The page. Everything that came from elsewhere is escaped."""
    environment = Environment(
        loader=PackageLoader("report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("report.html")
    return template.render(page=page, sections=list(_sections(page)))


def _sections(page: Page) -> Iterator[tuple[str, str]]:
    """Those that there is something to say in."""
    has: Mapping[str, Sized] = {
        "evaluation": page.evaluations,
        "parity": page.compared,
        "memory": page.memory,
        "time": page.times,
        "settings": page.settings,
    }
    yield from ((name, label) for name, label in SECTIONS.items() if len(has.get(name, " ")))
