"""Tells Prometheus how a stack is: serve.py REQUEST_JSON STEP_JSON...

The stack says what there is to measure, see `plan.metrics`: one argument for all of it, and one for
each step. Reads only; it has no way to the engine.
"""

import json
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gpus
import ollama
from access_log import AccessLog
from families import FAMILIES, Sample
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from steps import Step
from volumes import Volumes


class Stack(Collector):
    """Looks at a stack whenever Prometheus asks."""

    def __init__(self, request: Mapping[str, Any], steps: Sequence[Step]) -> None:
        self._steps = steps
        self._ollama = str(request["ollama"])
        self._has_gpus = bool(request["gpus"])
        self._volumes = Volumes(request["volumes"])
        self._volumes.watch()
        self._access_log = AccessLog()
        self._access_log.listen(int(request["port"]))
        # A training's log is read once, whoever asks.
        self._lock = threading.Lock()

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Every family, also one that has no samples at present."""
        found: dict[str, list[Sample]] = defaultdict(list)
        with self._lock:
            for sample in self._samples():
                found[sample.name].append(sample)
        for family in FAMILIES:
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels)
            for sample in found[family.name]:
                metric.add_metric(sample.labels, sample.value)
            yield metric

    def _samples(self) -> Iterator[Sample]:
        for step in self._steps:
            yield from step.samples()
        yield from self._volumes.samples()
        yield from ollama.samples(self._ollama)
        yield from self._access_log.samples()
        if self._has_gpus:
            yield from gpus.samples()


def main(arguments: Sequence[str]) -> None:
    """Answer until the container is stopped."""
    request, *steps = map(json.loads, arguments)
    registry = CollectorRegistry()
    registry.register(Stack(request, [Step.told(words) for words in steps]))
    # What the exporter itself costs.
    ProcessCollector(namespace="finetune_exporter", registry=registry)
    server, _ = start_http_server(int(request["port"]), registry=registry)
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    stopped.wait()
    server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
