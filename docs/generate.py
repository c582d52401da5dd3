"""Makes the pages and the schema that follow from the code: `python -m docs.generate`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs import (
    dashboard,
    gpu_memory,
    settings_reference,
    settings_schema,
    support_matrix,
    training_matrix,
)

PROJECT = Path(__file__).parents[1]

GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/dashboard.json": dashboard.render,
    "docs/gpu_memory.md": gpu_memory.render,
    "docs/settings.md": settings_reference.render,
    "docs/support_matrix.md": support_matrix.render,
    "docs/training_matrix.md": training_matrix.render,
    "stack_configs/schema.json": settings_schema.render,
}
"""Each file, from the project's folder, and what its whole text is made by."""


def main() -> None:
    """Write every file anew."""
    for name, render in GENERATED.items():
        (PROJECT / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
