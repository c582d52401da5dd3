"""Who a thing on the engine belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass

from plan import labels


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A stack, and what tells it from another user's of the same name."""

    stack: str
    id: str = ""
    """Drawn when the stack takes the host for itself; empty before, and for what was made by a
    version that drew none."""

    @property
    def labels(self) -> dict[str, str]:
        """What everything that is made for this owner carries."""
        return {labels.STACK: self.stack, **({labels.OWNER: self.id} if self.id else {})}

    def owns(self, found: Mapping[str, str] | None) -> bool:
        """Whether a thing with these labels is this owner's."""
        given = found or {}
        return given.get(labels.STACK) == self.stack and (
            not self.id or given.get(labels.OWNER, self.id) == self.id
        )
