"""Durations as Go writes them, which is how the official plugin takes and shows them."""

from __future__ import annotations

import re
from fractions import Fraction

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h)")


def to_nanoseconds(text: str) -> int:
    """Read `1m30s`."""
    return sum(int(Fraction(number) * _NANOSECONDS[unit]) for number, unit in _PART.findall(text))


def from_nanoseconds(total: int) -> str:
    """Write 90 s as `1m30s`, one hour as `1h0m0s` and half a second as `500ms`."""
    if total == 0:
        return "0s"
    if total < _NANOSECONDS["s"]:
        unit = next(unit for unit in ("ms", "us", "ns") if total >= _NANOSECONDS[unit])
        return _decimal(total, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(total, _NANOSECONDS["m"])
    text = _decimal(rest, _NANOSECONDS["s"]) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return text


def _decimal(value: int, scale: int) -> str:
    whole, rest = divmod(value, scale)
    if not rest:
        return str(whole)
    digits = str(rest).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"
