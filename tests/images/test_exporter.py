"""The exporter's readers, on what steps, drivers and servers really write."""

import importlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from plan.codec import encode
from plan.metrics import MeasuredStep
from planning.metrics import METRICS_PORT
from tests.images.dockerfiles import IMAGES, instructions

EXPORTER = IMAGES / "metrics/exporter"
MODULES = ("families", "access_log", "trainer_log", "steps", "volumes", "gpus", "ollama")


@pytest.fixture(scope="module")
def exporter() -> Iterator[Mapping[str, ModuleType]]:
    """Its modules, which find each other as in their container; the rest of the tests never."""
    sys.path.insert(0, str(EXPORTER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(EXPORTER))
        for name in MODULES:
            sys.modules.pop(name, None)


def values(samples: Iterable[Any]) -> dict[str, float]:
    """Values by name; one that has several is told apart by its last label."""
    found: dict[str, float] = {}
    for sample in samples:
        name = sample.name
        if name == "finetune_step_state":
            name = f"{name}:{sample.labels[-1]}"
        assert name not in found, name
        found[name] = sample.value
    return found


def entry(step: int, elapsed: str, **others: Any) -> str:
    """A line of LLaMA-Factory 0.9.5's trainer_log.jsonl."""
    line = {"current_steps": step, "total_steps": 100, "epoch": step / 50, "percentage": step}
    return (
        json.dumps({**line, "elapsed_time": elapsed, "remaining_time": "0:10:00"} | others) + "\n"
    )


class TestTrainerLog:
    @pytest.fixture
    def log(self, exporter: Mapping[str, ModuleType], tmp_path: Path) -> Any:
        return exporter["trainer_log"].TrainerLog(tmp_path / "trainer_log.jsonl")

    def test_the_last_figure_of_each_kind_counts(self, log: Any) -> None:
        log.path.write_text(
            entry(10, "0:00:10", loss=2.5, lr=1e-4, throughput=90.5, total_tokens=905)
            + entry(10, "0:00:12", eval_loss=2.25)
        )
        assert values(log.samples("guide-sft")) == {
            "finetune_training_steps_done": 10,
            "finetune_training_steps_planned": 100,
            "finetune_training_epoch": 0.2,
            "finetune_training_loss": 2.5,
            "finetune_training_eval_loss": 2.25,
            "finetune_training_learning_rate": 1e-4,
            "finetune_training_tokens": 905,
            "finetune_training_tokens_per_second": 90.5,
            "finetune_training_left_seconds": 600,
        }

    def test_what_is_added_is_read_and_half_a_line_is_not(self, log: Any) -> None:
        log.path.write_text(entry(1, "0:00:01", loss=3.0))
        assert values(log.samples("run"))["finetune_training_loss"] == 3.0
        whole = entry(2, "0:00:02", loss=2.0)
        with log.path.open("a") as file:
            file.write(whole[:30])
        assert values(log.samples("run"))["finetune_training_loss"] == 3.0
        with log.path.open("a") as file:
            file.write(whole[30:])
        assert values(log.samples("run"))["finetune_training_loss"] == 2.0

    def test_after_a_resumption_only_the_time_since_counts(self, log: Any) -> None:
        # 40 steps in a run of ten minutes; resumed from there, a step takes two seconds.
        log.path.write_text(
            entry(40, "0:10:00", total_tokens=4000, throughput=6.7)
            + entry(50, "0:00:20", total_tokens=5000, throughput=250.0, remaining_time="0:00:20")
            + entry(60, "0:00:40", total_tokens=6000, throughput=150.0, remaining_time="0:00:26")
        )
        found = values(log.samples("run"))
        assert found["finetune_training_tokens_per_second"] == 50
        assert found["finetune_training_left_seconds"] == 80

    def test_a_log_that_began_anew_is_read_anew(self, log: Any) -> None:
        log.path.write_text(entry(90, "0:00:10", loss=1.0) * 3)
        list(log.samples("run"))
        log.path.write_text(entry(1, "0:00:01", loss=4.0))
        assert values(log.samples("run"))["finetune_training_loss"] == 4.0

    def test_other_lines_change_nothing(self, log: Any) -> None:
        log.path.write_text('not json\n[1]\n{"loss": 9}\n' + entry(1, "0:00:01", loss=3.0))
        assert values(log.samples("run"))["finetune_training_loss"] == 3.0

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("0:00:07", 7), ("1:02:03", 3723), ("1 day, 0:00:01", 86401), ("soon", None)],
    )
    def test_a_time_as_the_log_writes_it(
        self, exporter: Mapping[str, ModuleType], text: str, seconds: float | None
    ) -> None:
        assert exporter["trainer_log"].seconds(text) == seconds


class TestSteps:
    @pytest.fixture
    def step(self, exporter: Mapping[str, ModuleType], tmp_path: Path) -> Any:
        told = MeasuredStep(
            name="guide-sft",
            noun="training-run",
            marker=str(tmp_path / "runs/abc/complete.json"),
            partial=str(tmp_path / "runs/abc.partial"),
            log="trainer_log.jsonl",
        )
        return exporter["steps"].Step.told(json.loads(encode(told)))

    def test_nothing_is_there_yet(self, step: Any) -> None:
        assert values(step.samples()) == {
            "finetune_step_state:waiting": 1,
            "finetune_step_state:started": 0,
            "finetune_step_state:done": 0,
        }

    def test_it_is_at_work(self, step: Any) -> None:
        partial = Path(step.partial)
        partial.mkdir(parents=True)
        (partial / "complete.json").write_text("{}")
        (partial / "trainer_log.jsonl").write_text(entry(3, "0:00:01", loss=2.0))
        (partial / "checkpoint-1").mkdir()
        written = time.time() - 50
        for file in partial.iterdir():
            os.utime(file, (written, written))
        found = values(step.samples())
        assert found["finetune_step_state:started"] == 1
        # When it was started is when its files were put there, whatever their own times say.
        assert 0 <= found["finetune_step_seconds"] < 30
        assert found["finetune_step_written_timestamp_seconds"] == pytest.approx(written, abs=1)
        assert found["finetune_training_loss"] == 2.0

    def test_it_is_done_and_its_log_goes_on_from_its_new_place(self, step: Any) -> None:
        self.test_it_is_at_work(step)
        Path(step.partial).rename(Path(step.marker).parent)
        Path(step.marker).write_text(json.dumps({"identity": "abc", "seconds": 12.5}))
        found = values(step.samples())
        assert found["finetune_step_state:done"] == 1
        assert found["finetune_step_seconds"] == 12.5
        assert "finetune_step_written_timestamp_seconds" not in found
        assert found["finetune_training_loss"] == 2.0

    @pytest.mark.parametrize("said", ["", "{", "[]", '{"seconds": null}'])
    def test_a_marker_that_does_not_say_how_long_it_took(self, step: Any, said: str) -> None:
        Path(step.marker).parent.mkdir(parents=True)
        Path(step.marker).write_text(said)
        found = values(step.samples())
        assert found["finetune_step_state:done"] == 1
        assert "finetune_step_seconds" not in found


class TestVolumes:
    def test_what_files_take_on_their_disk(
        self, exporter: Mapping[str, ModuleType], tmp_path: Path
    ) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a/weights").write_bytes(b"x" * 100_000)
        os.link(tmp_path / "a/weights", tmp_path / "same")
        (tmp_path / "link").symlink_to("a/weights")
        with (tmp_path / "sparse").open("wb") as file:
            file.truncate(10_000_000)
        volumes = exporter["volumes"].Volumes({"output": str(tmp_path)})
        assert "finetune_volume_bytes" not in values(volumes.samples())
        volumes.look()
        found = values(volumes.samples())
        assert 100_000 <= found["finetune_volume_bytes"] < 200_000
        assert 0 < found["finetune_volume_disk_free_bytes"] < found["finetune_volume_disk_bytes"]


class TestAccessLog:
    @pytest.fixture
    def log(self, exporter: Mapping[str, ModuleType]) -> Any:
        return exporter["access_log"].AccessLog()

    def counted(self, log: Any) -> dict[tuple[str, ...], tuple[float, float]]:
        samples = list(log.samples())
        return {
            count.labels: (count.value, took.value)
            for count, took in zip(samples[::2], samples[1::2], strict=True)
        }

    def test_requests_are_counted_as_ollama_tells_them(self, log: Any) -> None:
        start = "<30>Nov 25 16:26:33 finetune-stack-dev-ollama-server[25691]: [GIN] 2026/11/25 - "
        for line in (
            '16:26:32 | 200 |     142.272\u00b5s |       127.0.0.1 | HEAD     "/"',
            '16:26:33 | 404 |     262.371\u00b5s |       127.0.0.1 | POST     "/api/show"',
            '16:26:34 | 200 |  1.5s |      172.18.0.1 | POST     "/api/chat"',
            '16:27:34 | 200 |          1m3s |             ::1 | POST     "/api/chat?a=b"',
        ):
            log.hear(f"{start}{line}\n")
        log.hear('<27>Nov 25 ollama[1]: time=2026-11-25 level=INFO msg="| 200 | total blobs: 0"')
        assert self.counted(log) == {
            ("HEAD", "/", "200"): (1, pytest.approx(142.272e-6)),
            ("POST", "/api/show", "404"): (1, pytest.approx(262.371e-6)),
            ("POST", "/api/chat", "200"): (2, 64.5),
        }

    @pytest.mark.parametrize(
        ("path", "known"),
        [
            ("/api/blobs/sha256:00ff", "/api/blobs"),
            ("/v1/models/guide", "/v1/models"),
            ("/v1/chat/completions", "/v1/chat/completions"),
            ("/.env", "other"),
            ("/api/chatty", "other"),
        ],
    )
    def test_nobody_can_make_up_series(
        self, exporter: Mapping[str, ModuleType], path: str, known: str
    ) -> None:
        assert exporter["access_log"].known_path(path) == known


class TestGpus:
    TABLE = (
        "0, NVIDIA A100-SXM4-80GB, 97, 71234, 81920, 61, 389.52\n"
        "1, NVIDIA GeForce RTX 4090, 0, 1, 24564, 35, [N/A]\n"
    )
    """As nvidia-smi prints it for the query; [N/A] where a board does not tell."""

    def test_a_table_of_the_driver(self, exporter: Mapping[str, ModuleType]) -> None:
        first: dict[str, float] = {}
        second: dict[str, float] = {}
        for sample in exporter["gpus"].read(self.TABLE):
            (first if sample.labels[0] == "0" else second)[sample.name] = sample.value
        assert first == {
            "finetune_gpu_utilization_ratio": 0.97,
            "finetune_gpu_memory_used_bytes": 71234 * 1024**2,
            "finetune_gpu_memory_bytes": 81920 * 1024**2,
            "finetune_gpu_temperature_celsius": 61,
            "finetune_gpu_power_watts": 389.52,
        }
        assert "finetune_gpu_power_watts" not in second
        assert second["finetune_gpu_utilization_ratio"] == 0

    def test_a_driver_that_does_not_answer_is_told(
        self,
        exporter: Mapping[str, ModuleType],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert values(exporter["gpus"].samples()) == {"finetune_gpu_up": 0}


def test_a_server_that_does_not_answer_is_told(exporter: Mapping[str, ModuleType]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert values(exporter["ollama"].samples(address)) == {"finetune_ollama_up": 0}


def test_every_sample_has_its_family_and_every_family_is_told(
    exporter: Mapping[str, ModuleType],
) -> None:
    source = "\n".join(path.read_text() for path in EXPORTER.glob("*.py"))
    named = set(re.findall(r'"(finetune_[a-z_]+)"', source))
    declared = {family.name for family in exporter["families"].FAMILIES}
    # The exporter's own costs are named by the client.
    assert named - {"finetune_exporter"} == declared
    for name in declared:
        assert source.count(f'"{name}"') >= 2, f"nobody tells {name}"


def test_the_image_has_the_whole_exporter_and_listens_where_the_plan_says() -> None:
    lines = instructions(IMAGES / "metrics/Dockerfile")
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()}
    assert {f"metrics/exporter/{path.name}" for path in EXPORTER.glob("*.py")} <= copied
    (ports,) = (line.split()[1:] for line in lines if line.startswith("EXPOSE "))
    assert ports == [str(METRICS_PORT), f"{METRICS_PORT}/udp"]


def test_the_client_is_pinned_by_its_hash() -> None:
    text = (IMAGES / "metrics/build/requirements.txt").read_text()
    assert re.fullmatch(r"prometheus-client==\S+ \\\n    --hash=sha256:[0-9a-f]{64}\n", text)
