"""How the page writes sizes, times and what nobody is to read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

UNITS = ("B", "kB", "MB", "GB", "TB")
KILO = 1000
UNKNOWN = "–"  # noqa: RUF001 - as tables write it
MINUTE, HOUR = 60, 3600

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""Between the scheme and the host of an address."""
SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSW|CREDENTIAL)", re.IGNORECASE)
HIDDEN = "(hidden)"


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    power = 0
    while count >= KILO and power < len(UNITS) - 1:
        count, power = count / KILO, power + 1
    return f"{count:.1f} {UNITS[power]}" if power else f"{count:.0f} {UNITS[0]}"


def took(seconds: float | None) -> str:
    """A stretch of time, as exactly as a person wants to know it."""
    if seconds is None:
        return UNKNOWN
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    hours, rest = divmod(round(seconds), HOUR)
    minutes, rest = divmod(rest, MINUTE)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(when: float | datetime | None) -> str:
    """A time of day, of the whole world's clock."""
    if not when:
        return UNKNOWN
    told = when if isinstance(when, datetime) else datetime.fromtimestamp(when, UTC)
    return told.strftime("%Y-%m-%d %H:%M UTC")


def without_secrets(value: Any) -> Any:
    """Settings for everybody's eyes: without passwords in addresses, and what is named a key.

    Secrets have no place in the settings; an operator may have put one there all the same.
    """
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(each, str) and each and SECRET_NAME.search(str(key)) and key.isupper()
            else without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return CREDENTIALS.sub(HIDDEN, value) if isinstance(value, str) else value
