"""Models and the registry that they are published to, as they fit together (O6)."""

from collections.abc import Iterator

from plan.problem import Problem
from stack_configs.settings.root import Settings


def find_publication_problems(settings: Settings) -> Iterator[Problem]:
    """Models without a registry to publish them to, and two under one name."""
    first: dict[str, int] = {}
    for index, model in enumerate(settings.models):
        if (name := model.published_name) is None:
            continue
        key = f"models[{index}].ollama_model.publish"
        if settings.registry.host is None:
            yield Problem(
                key, repr(name), "nobody knows where the registry is", "Set registry.host"
            )
        earlier = first.setdefault(name, index)
        if earlier != index:
            yield Problem(
                key,
                repr(name),
                f"models[{earlier}] is published under that name already",
                "Give each a name or a tag of its own",
            )
