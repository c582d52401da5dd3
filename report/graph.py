"""The dependency graph of a stack, laid out in layers: what a node needs stands above it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from plan import labels
from report.state import PIPELINE_TYPE, Resource, StackState

OURS = f"{labels.NAMESPACE}:index:"
NETWORK = "docker:index/network:Network"
SERVED_MODELS = "served-models-command"
SWEEPS = 8
"""Times that the layers are put in order, downwards and upwards: crossings are few by then."""

NODE_WIDTH, NODE_HEIGHT = 180, 66
COLUMN, ROW = NODE_WIDTH + 20, NODE_HEIGHT + 34
BEND_WIDTH = 24
"""What an edge takes where it passes a layer."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One component, or one resource that stands by itself. Pixels, from the left upper corner."""

    key: str
    """Name of the resource."""
    kind: str
    """As the program calls it: TrainingRun, Merge."""
    x: float = 0
    y: float = 0


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A picture of the graph."""

    nodes: tuple[Node, ...]
    edges: tuple[str, ...]
    """SVG paths."""
    width: float
    height: float
    node_width: int = NODE_WIDTH
    node_height: int = NODE_HEIGHT
    needs: Mapping[str, tuple[str, ...]]
    """By key: what each needs at first hand, for those who cannot see the picture."""


def graph_of(state: StackState) -> Graph:
    """The graph of the components; their children's dependencies are theirs."""
    nodes = {r.name: Node(key=r.name, kind=_kind(r)) for r in state.resources if _is_node(state, r)}
    by_urn = {resource.urn: resource for resource in state.resources}
    owner = {r.urn: _owner(r, by_urn, nodes) for r in state.resources}
    needs: dict[str, set[str]] = {key: set() for key in nodes}
    for resource in state.resources:
        if (key := owner[resource.urn]) is None:
            continue
        found = {owner.get(urn) for urn in resource.dependencies} - {key, None}
        needs[key] |= {each for each in found if each is not None}
    return _laid_out(nodes, _reduced(needs))


def _is_node(state: StackState, resource: Resource) -> bool:
    if resource.type.startswith(OURS):
        return resource.type != PIPELINE_TYPE
    return resource.type == NETWORK or resource.name.endswith(SERVED_MODELS)


def _kind(resource: Resource) -> str:
    if resource.type.startswith(OURS):
        return resource.type.removeprefix(OURS)
    return "Network" if resource.type == NETWORK else "ServedModels"


def _owner(
    resource: Resource, by_urn: Mapping[str, Resource], nodes: Mapping[str, Node]
) -> str | None:
    """The node that a resource is, or is part of."""
    at: Resource | None = resource
    while at is not None:
        if at.name in nodes:
            return at.name
        at = by_urn.get(at.parent)
    return None


def _reduced(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Without what follows from the rest: an arrow over three nodes says what the short ones do."""
    reach: dict[str, set[str]] = {}

    def all_of(key: str) -> set[str]:
        if key not in reach:
            reach[key] = set()
            reach[key] = needs[key].union(*(all_of(each) for each in needs[key]))
        return reach[key]

    return {
        key: {each for each in own if not any(each in all_of(o) for o in own if o != each)}
        for key, own in needs.items()
    }


def _laid_out(nodes: Mapping[str, Node], needs: Mapping[str, set[str]]) -> Graph:
    depth: dict[str, int] = {}

    def depth_of(key: str) -> int:
        if key not in depth:
            depth[key] = 0
            depth[key] = 1 + max((depth_of(each) for each in needs[key]), default=-1)
        return depth[key]

    layers: dict[int, list[str]] = defaultdict(list)
    for key in nodes:
        layers[depth_of(key)].append(key)
    # An edge that passes a layer is a bend of its own there, so that it runs beside the nodes.
    up: dict[str, list[str]] = {key: [] for key in nodes}
    routes: list[list[str]] = []
    for key, above in sorted(needs.items()):
        for source in sorted(above):
            bends = [f"{source}>{key}@{at}" for at in range(depth[source] + 1, depth[key])]
            route = [source, *bends, key]
            for at, bend in enumerate(bends, start=depth[source] + 1):
                layers[at].append(bend)
                up[bend] = []
            for one, two in pairwise(route):
                up[two].append(one)
            routes.append(route)
    down: dict[str, list[str]] = {key: [] for key in up}
    for key, above_key in up.items():
        for one in above_key:
            down[one].append(key)
    x = _columns([layers[at] for at in sorted(layers)], up, down, nodes)
    left = min((x[key] - _width(key, nodes) / 2 for key in x), default=0)
    width = max((x[key] + _width(key, nodes) / 2 for key in x), default=0) - left
    level = {key: at for at, keys in layers.items() for key in keys}
    placed = [
        replace(node, x=x[key] - left - NODE_WIDTH / 2, y=level[key] * ROW)
        for key, node in nodes.items()
    ]
    return Graph(
        nodes=tuple(sorted(placed, key=lambda node: (node.y, node.x))),
        edges=tuple(_edge(route, x, level, left, nodes) for route in routes),
        width=width,
        height=max(layers, default=0) * ROW + NODE_HEIGHT,
        needs={key: tuple(sorted(above)) for key, above in needs.items()},
    )


def _width(key: str, nodes: Mapping[str, Node]) -> float:
    return COLUMN if key in nodes else BEND_WIDTH


def _columns(
    layers: Sequence[list[str]],
    up: Mapping[str, Sequence[str]],
    down: Mapping[str, Sequence[str]],
    nodes: Mapping[str, Node],
) -> dict[str, float]:
    """Where each node's middle is: near those that it is tied to, and beside its neighbours."""
    x: dict[str, float] = {}
    for layer in layers:
        x |= _spread([(key, 0.0) for key in layer], nodes)
    for sweep in range(SWEEPS):
        ties = up if sweep % 2 == 0 else down
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                (key, sum(x[each] for each in ties[key]) / len(ties[key]) if ties[key] else x[key])
                for key in layer
            ]
            x |= _spread(sorted(wanted, key=lambda each: each[1]), nodes)
    return x


def _spread(wanted: Iterable[tuple[str, float]], nodes: Mapping[str, Node]) -> dict[str, float]:
    """Places near the wanted ones, in their order, none on top of another."""
    blocks: list[tuple[list[tuple[str, float]], float]] = []
    for key, place in wanted:
        # A block's keys stand side by side; its middle is the mean of what they want.
        keys, middle = [(key, place)], place
        while blocks and _end(blocks[-1], nodes) > middle - _span(keys, nodes) / 2:
            keys = [*blocks.pop()[0], *keys]
            middle = sum(each for _, each in keys) / len(keys)
        blocks.append((keys, middle))
    places = {}
    for keys, middle in blocks:
        at = middle - _span(keys, nodes) / 2
        for key, _ in keys:
            places[key] = at + _width(key, nodes) / 2
            at += _width(key, nodes)
    return places


def _span(keys: Sequence[tuple[str, float]], nodes: Mapping[str, Node]) -> float:
    return sum(_width(key, nodes) for key, _ in keys)


def _end(block: tuple[list[tuple[str, float]], float], nodes: Mapping[str, Node]) -> float:
    return block[1] + _span(block[0], nodes) / 2


def _edge(
    route: Sequence[str],
    x: Mapping[str, float],
    level: Mapping[str, int],
    left: float,
    nodes: Mapping[str, Node],
) -> str:
    at_x, at_y = x[route[0]] - left, level[route[0]] * ROW + NODE_HEIGHT
    path = [f"M{at_x:.0f} {at_y:.0f}"]
    for key in route[1:]:
        to_x, to_y = x[key] - left, level[key] * ROW
        half = (at_y + to_y) / 2
        path.append(f"C{at_x:.0f} {half:.0f} {to_x:.0f} {half:.0f} {to_x:.0f} {to_y:.0f}")
        at_x, at_y = to_x, to_y
        if key not in nodes:
            at_y += NODE_HEIGHT
            path.append(f"V{at_y:.0f}")
    return " ".join(path)
