"""The picture of the graph: what it says, and that it can be looked at."""

from itertools import combinations

from report.graph import NODE_HEIGHT, NODE_WIDTH, graph_of
from report.state import Resource, StackState

OURS = "finetune-stack:index:"


def stack(**needs: str) -> StackState:
    """Components by name, each with a command, and what these need."""
    resources = []
    for name, of in needs.items():
        dependencies = tuple(f"urn::{each}-command" for each in of.split())
        kind = f"{OURS}{name.rstrip('0123456789').title()}"
        resources += [
            Resource(urn=f"urn::{name}", type=kind),
            Resource(
                urn=f"urn::{name}-command",
                type="command:local:Command",
                parent=f"urn::{name}",
                dependencies=dependencies,
            ),
        ]
    return StackState(stack="test", resources=resources)


def models(count: int) -> StackState:
    needs = {"host": "", "images": "host", "server": "images host"}
    for at in range(count):
        needs |= {
            f"train{at}": "images host",
            f"merge{at}": f"train{at} images host",
            f"serve{at}": f"merge{at} server images",
        }
    return stack(**needs)


def test_what_follows_from_the_rest_is_not_drawn() -> None:
    graph = graph_of(models(1))
    assert graph.needs == {
        "host": (),
        "images": ("host",),
        "server": ("images",),
        "train0": ("images",),
        "merge0": ("train0",),
        "serve0": ("merge0", "server"),
    }
    assert len(graph.edges) == 6


def test_what_is_needed_stands_above() -> None:
    graph = graph_of(models(3))
    y = {node.key: node.y for node in graph.nodes}
    assert all(y[above] < y[key] for key, needs in graph.needs.items() for above in needs)


def test_no_box_covers_another_and_all_are_in_the_picture() -> None:
    graph = graph_of(models(12))
    assert len(graph.nodes) == 39
    for one, two in combinations(graph.nodes, 2):
        beside = abs(one.x - two.x) >= NODE_WIDTH
        assert beside or abs(one.y - two.y) >= NODE_HEIGHT, (one, two)
    for node in graph.nodes:
        assert node.x >= 0
        assert node.x + NODE_WIDTH <= graph.width
        assert node.y + NODE_HEIGHT <= graph.height


def test_models_stay_in_columns() -> None:
    """A chain that runs straight down is read as one model."""
    x = {node.key: node.x for node in graph_of(models(6)).nodes}
    assert all(abs(x[f"train{at}"] - x[f"merge{at}"]) < NODE_WIDTH for at in range(6))


def test_a_hundred_models_are_laid_out() -> None:
    assert len(graph_of(models(100)).nodes) == 303
