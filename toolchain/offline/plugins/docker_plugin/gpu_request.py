"""The `gpus` attribute as a device request, by docker/cli's `opts.GpuOpts`.

`all`, a number, or `driver=..,count=..,device=..,capabilities=..,options=..` in CSV. Quotes around
the whole are taken off first, as the official plugin does; of several devices, `device=0,1`, the
second is therefore read as a count, which the engine refuses.
"""

from __future__ import annotations

import csv
from typing import Any

from toolchain.offline.plugins.errors import PluginError


def parse_gpus(value: str) -> dict[str, Any]:
    """Turn the attribute into what the engine's API takes."""
    request: dict[str, Any] = {}
    seen: set[str] = set()
    for part in next(csv.reader([_unquoted(value)]), []):
        key, equals, text = part.partition("=")
        if key in seen:
            msg = f"gpus is {value!r}, but {key} may be given only once"
            raise PluginError(msg)
        seen.add(key)
        if not equals:
            seen.add("count")
            request["Count"] = _count(value, key)
            continue
        match key:
            case "count":
                request["Count"] = _count(value, text)
            case "driver":
                request["Driver"] = text
            case "device":
                request["DeviceIDs"] = text.split(",")
            case "capabilities":
                request["Capabilities"] = [[*text.split(","), "gpu"]]
            case "options":
                pairs = [option.partition("=") for option in text.split(",")]
                request["Options"] = {name: setting for name, _, setting in pairs}
            case _:
                msg = f"gpus is {value!r}, but {key!r} is no key of a GPU request"
                raise PluginError(msg)
    if "count" not in seen and "device" not in seen:
        request["Count"] = 1
    return {"Options": {}, "Capabilities": [["gpu"]], **request}


def describe_gpus(requests: list[dict[str, Any]]) -> str | None:
    """Turn device requests back into the attribute; `None` where it cannot say them."""
    if not requests:
        return ""
    if len(requests) > 1:
        return None
    request = requests[0]
    if request.get("DeviceIDs"):
        return "device=" + ",".join(request["DeviceIDs"])
    capabilities = [name.lower() for group in request.get("Capabilities") or [] for name in group]
    return "all" if request.get("Count") == -1 and "gpu" in capabilities else None


def _count(value: str, text: str) -> int:
    if text == "all":
        return -1
    if not text.isdecimal():
        msg = f"gpus is {value!r}, but the count {text!r} is neither a number nor 'all'"
        raise PluginError(msg)
    return int(text)


def _unquoted(value: str) -> str:
    text = value.strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text
