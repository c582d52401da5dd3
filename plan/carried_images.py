"""Images that came here in a bundle: built on another host, loaded into this one's engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FILE = "carried_images.json"
"""In the project's folder, where a bundle was unpacked."""


@dataclass(frozen=True, kw_only=True)
class CarriedImages:
    """What the bundle's host has built."""

    references: Mapping[str, str] = field(default_factory=dict)
    """What containers name, by `ImagePlan.build`."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The engine's id of each image, by reference."""
