"""What a hub says of a model, whichever hub it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from plan.host import HubModelFacts
from plan.model_files import needed_files
from plan.model_shape import read_model_shape
from runtime.host.snapshot import GB

HUB_SECONDS = 5.0
COMMIT_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the hub said; nothing where it was silent."""

    commit: str | None = None
    facts: HubModelFacts | None = None


SILENCE = (requests.RequestException, ValueError, KeyError, TypeError, AttributeError)
"""No answer, or one that is none of a hub's."""


class Way:
    """How a hub is reached: its own address or a mirror's, a proxy, a token."""

    def __init__(self, address: str, proxy: str | None, token: str | None) -> None:
        self._address = address.rstrip("/")
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: str) -> requests.Response:
        """One question. Raises `requests.RequestException`."""
        return requests.get(
            f"{self._address}/{path}",
            params=query,
            headers=self._headers,
            proxies=self._proxies,
            timeout=HUB_SECONDS,
        )


def known_commit(revision: str) -> str | None:
    """A revision that is a commit already."""
    return revision if len(revision) == COMMIT_LENGTH else None


def describe(sizes: Mapping[str, Any], config: Mapping[str, Any]) -> HubModelFacts:
    """What the sizes of all its files, by name, and its configuration tell of a model."""
    needed = [sizes[name] for name in needed_files(sizes)]
    known = [size for size in needed if isinstance(size, int)]
    return HubModelFacts(
        size_gb=round(sum(known) / GB, 3) if known and len(known) == len(needed) else None,
        quantization=_quantization(config),
        shape=read_model_shape(config),
    )


def _quantization(config: Mapping[str, Any]) -> str | None:
    said = config.get("quantization_config") or {}
    # bitsandbytes did not always write its own name.
    by_bits = said.get("load_in_4bit") or said.get("load_in_8bit")
    method = said.get("quant_method") or ("bitsandbytes" if by_bits else None)
    return str(method).lower() if method else None
