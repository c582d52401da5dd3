"""A real Prometheus on this machine, for one test."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.integration.stack import free_port

START_SECONDS = 30
SCRAPE_SECONDS = 1


class Prometheus:
    """Debian's Prometheus, scraping one page every second."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target
        self._url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        host, _, path = self._target.removeprefix("http://").partition("/")
        scrape = {
            "job_name": "finetune-stack",
            "metrics_path": f"/{path}",
            "static_configs": [{"targets": [host]}],
        }
        config = {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": "1s"},
            "scrape_configs": [scrape],
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = (self._folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            words = (self._folder / "prometheus.log").read_text()
            assert self._process.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What an instant query finds: `metric` and `value` each."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}, timeout=30).json()
        assert answer["status"] == "success", f"{query}: {json.dumps(answer)}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def value(self, query: str) -> float | None:
        """The one value that a query finds; None where it finds nothing."""
        found = self.ask(query)
        assert len(found) < 2, f"{query}: {found}"
        return float(found[0]["value"][1]) if found else None

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self._url}/-/ready", timeout=1).is_success
        except httpx.HTTPError:
            return False
