"""The inventory of a stack: every item, the largest first in each kind."""

from collections.abc import Iterator, Sequence

from report.state import StackState
from retention.artefacts import artefact_items
from retention.data import data_items
from retention.engine_things import container_items, image_items
from retention.items import Item
from retention.look import HostSight
from retention.stores import store_items
from retention.volumes import volume_views


def inventory(
    state: StackState, others: Sequence[StackState], sight: HostSight
) -> tuple[Item, ...]:
    """Everything that takes room. `others` are the other stacks whose state is known.

    Raises `StateError` where the state does not say what the stack refers to.
    """
    return tuple(sorted(_items(state, others, sight), key=lambda each: (each.kind, -each.bytes)))


def _items(state: StackState, others: Sequence[StackState], sight: HostSight) -> Iterator[Item]:
    views = volume_views(state, others, sight.containers)
    yield from artefact_items(state, views, sight)
    yield from data_items(state, views, sight)
    yield from store_items(state, sight)
    yield from image_items(state, others, sight)
    yield from container_items(state.owner, sight.containers)
