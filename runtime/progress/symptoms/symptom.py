"""One line, or a few, by which a failure is known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What a log says, what that means, and what to change."""

    pattern: re.Pattern[str]
    """The line that it ends in is shown."""
    cause: str
    way_out: str
    """Names settings by their keys; `.key` goes on in the section of the key before it."""
    ways_out: Mapping[str, str]
    """Other ways out, by what has failed: a step's noun, or a service's section of the settings,
    each with '_' for '-'."""
    is_general: bool
    """Follows from other failures too: any symptom that is not general explains more."""

    def way_out_of(self, failed: str) -> str:
        """What to change where a step with this noun, or the service of this section, failed."""
        return self.ways_out.get(failed.replace("-", "_"), self.way_out)


def symptom(
    pattern: str, cause: str, way_out: str, *, is_general: bool = False, **ways_out: str
) -> Symptom:
    """A symptom; the pattern's case does not count."""
    return Symptom(
        pattern=re.compile(pattern, re.IGNORECASE),
        cause=cause,
        way_out=way_out,
        ways_out=ways_out,
        is_general=is_general,
    )
