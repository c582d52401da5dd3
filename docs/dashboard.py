"""docs/dashboard.json: a Grafana dashboard on what the exporter tells."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FAMILIES = Path(__file__).parents[1] / "images/metrics/exporter/families.py"
COLUMNS = 24
"""Of Grafana's grid."""
CHOSEN = 'instance=~"$instance"'
"""The stacks that are chosen on the page."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture of the page."""

    title: str
    queries: tuple[tuple[str, str], ...]
    """PromQL, and the legend of what it finds."""
    unit: str
    """As Grafana calls it."""
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    words: tuple[str, ...] = ()
    """What the values 0, 1, 2 stand for, where they are no figures."""


def _of(metric: str, *matchers: str) -> str:
    """A metric of the chosen stacks."""
    return f"{metric}{{{','.join((CHOSEN, *matchers))}}}"


_STARTED = _of("finetune_step_state", 'state="started"')
_DONE = _of("finetune_step_state", 'state="done"')
_WHERE_STARTED = f"and on (instance, step) {_STARTED} == 1"

PANELS: tuple[Panel, ...] = (
    Panel(
        title="Steps done",
        queries=((f"sum({_DONE}) / count({_DONE})", ""),),
        unit="percentunit",
        kind="stat",
        width=4,
        height=4,
    ),
    Panel(
        title="At work, or interrupted, for",
        queries=((f"{_of('finetune_step_seconds')} {_WHERE_STARTED}", "{{step}}"),),
        unit="s",
        kind="stat",
        height=4,
    ),
    Panel(
        title="Time left",
        queries=((f"{_of('finetune_training_left_seconds')} {_WHERE_STARTED}", "{{step}}"),),
        unit="s",
        kind="stat",
        height=4,
    ),
    Panel(
        title="Answers",
        queries=((_of("finetune_ollama_up"), "Ollama"), (_of("finetune_gpu_up"), "nvidia-smi")),
        unit="short",
        kind="stat",
        width=4,
        height=4,
        words=("no", "yes"),
    ),
    Panel(
        title="Steps",
        queries=((f"{_STARTED} + ignoring (state) 2 * {_DONE}", ""),),
        unit="short",
        kind="state-timeline",
        width=COLUMNS,
        words=("waiting", "started", "done"),
    ),
    Panel(
        title="Loss",
        queries=(
            (_of("finetune_training_loss"), "{{step}}"),
            (_of("finetune_training_eval_loss"), "{{step}}, evaluated"),
        ),
        unit="short",
    ),
    Panel(
        title="Steps of the optimizer",
        queries=(
            (
                f"{_of('finetune_training_steps_done')} / {_of('finetune_training_steps_planned')}",
                "{{step}}",
            ),
        ),
        unit="percentunit",
    ),
    Panel(
        title="Tokens per second",
        queries=((_of("finetune_training_tokens_per_second"), "{{step}}"),),
        unit="short",
    ),
    Panel(
        title="Learning rate",
        queries=((_of("finetune_training_learning_rate"), "{{step}}"),),
        unit="sci",
    ),
    Panel(
        title="Reward, and accuracy of preferences",
        queries=(
            (_of("finetune_training_reward"), "{{step}}, reward"),
            (_of("finetune_training_accuracy"), "{{step}}, accuracy"),
        ),
        unit="short",
    ),
    Panel(
        title="Tokens read, and passes over the data",
        queries=(
            (_of("finetune_training_tokens_total"), "{{step}}, tokens"),
            (_of("finetune_training_epoch"), "{{step}}, passes"),
        ),
        unit="short",
    ),
    Panel(
        title="Since a started step has written",
        queries=((f"time() - {_of('finetune_step_written_timestamp_seconds')}", "{{step}}"),),
        unit="s",
    ),
    Panel(
        title="GPUs at work",
        queries=((_of("finetune_gpu_utilization_ratio"), "{{gpu}} {{name}}"),),
        unit="percentunit",
    ),
    Panel(
        title="GPU memory in use",
        queries=(
            (_of("finetune_gpu_memory_used_bytes"), "{{gpu}} {{name}}"),
            (_of("finetune_gpu_memory_bytes"), "{{gpu}} {{name}}, all"),
        ),
        unit="bytes",
    ),
    Panel(
        title="GPU temperature",
        queries=((_of("finetune_gpu_temperature_celsius"), "{{gpu}} {{name}}"),),
        unit="celsius",
    ),
    Panel(
        title="GPU power",
        queries=((_of("finetune_gpu_power_watts"), "{{gpu}} {{name}}"),),
        unit="watt",
    ),
    Panel(
        title="Requests to Ollama, per second",
        queries=(
            (
                f"sum by (path, status) (rate({_of('finetune_ollama_requests_total')}[5m]))",
                "{{path}} {{status}}",
            ),
        ),
        unit="reqps",
    ),
    Panel(
        title="Time that a request to Ollama takes",
        queries=(
            (
                f"sum by (path) (rate({_of('finetune_ollama_request_seconds_total')}[5m])) / "
                f"sum by (path) (rate({_of('finetune_ollama_requests_total')}[5m]))",
                "{{path}}",
            ),
        ),
        unit="s",
    ),
    Panel(
        title="Ollama's time to answer",
        queries=((_of("finetune_ollama_answer_seconds"), "{{instance}}"),),
        unit="s",
    ),
    Panel(
        title="Models that Ollama has loaded",
        queries=(
            (_of("finetune_ollama_loaded_bytes"), "{{model}}"),
            (_of("finetune_ollama_loaded_gpu_bytes"), "{{model}}, on GPUs"),
        ),
        unit="bytes",
    ),
    Panel(
        title="Volumes",
        queries=((_of("finetune_volume_bytes"), "{{volume}}"),),
        unit="bytes",
    ),
    Panel(
        title="Disk that is free",
        queries=(
            (
                f"{_of('finetune_volume_disk_free_bytes')} / {_of('finetune_volume_disk_bytes')}",
                "{{volume}}",
            ),
        ),
        unit="percentunit",
    ),
)
"""Row by row."""


def families() -> ModuleType:
    """The exporter's list of metrics."""
    spec = importlib.util.spec_from_file_location("exporter_families", FAMILIES)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(FAMILIES)
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def render() -> str:
    """The dashboard as Grafana imports it."""
    dashboard = {
        "title": "finetune-stack",
        "uid": "finetune-stack",
        "tags": ["finetune-stack"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }
    return json.dumps(dashboard, indent=2) + "\n"


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    query = "label_values(finetune_step_state, instance)"
    yield {
        "name": "instance",
        "label": "Stack",
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "instance"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> Iterator[dict[str, Any]]:
    x = y = tallest = 0
    for number, panel in enumerate(PANELS, start=1):
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        tallest = max(tallest, panel.height)
        yield {
            "id": number,
            "title": panel.title,
            "type": panel.kind,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": DATASOURCE,
                    "expr": expression,
                    "legendFormat": legend or "{{step}}",
                }
                for index, (expression, legend) in enumerate(panel.queries)
            ],
            "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
            "options": {},
        }
        x += panel.width


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.unit == "percentunit":
        defaults |= {"min": 0, "max": 1}
    if panel.words:
        options = {str(value): {"text": word} for value, word in enumerate(panel.words)}
        defaults["mappings"] = [{"type": "value", "options": options}]
    return defaults
