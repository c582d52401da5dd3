"""Data sets in the data volume: uploaded once, registered, vouched for (D3, D4)."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import IMAGE, Bench

pytestmark = pytest.mark.engine

INFO = '{"faq": {"file_name": "/app/data/files/d1/faq.json"}}\n'


def registration(bench: Bench, file: Path, **changes: Any) -> dict[str, Any]:
    return {
        "engine": None,
        "stack": bench.stack,
        "name": f"{bench.stack}-dataset-registration",
        "fingerprint": "f1",
        "token": "t1",
        "image": IMAGE,
        "mount": bench.mount(target="/app/data"),
        "datasets": [
            {
                "name": "faq",
                "file": str(file),
                "digest": hashlib.sha256(file.read_bytes()).hexdigest(),
                "target": "/app/data/files/d1/faq.json",
            }
        ],
        "info": INFO,
        "marker": "/app/data/registrations/f1/complete.json",
        **changes,
    }


@pytest.fixture
def faq(tmp_path: Path) -> Path:
    file = tmp_path / "faq.json"
    file.write_text('[{"instruction": "how?", "output": "so"}]')
    return file


def test_data_and_registration_are_in_the_volume(bench: Bench, faq: Path):
    outcome = bench.run("steps/register_datasets", "converge", registration(bench, faq))
    assert outcome.code == 0, outcome.words
    assert outcome.result == {
        "fingerprint": "f1",
        "datasets": [{"name": "faq", "target": "/app/data/files/d1/faq.json"}],
    }
    seen = bench.shell(
        "cat /app/data/files/d1/faq.json; echo; cat /app/data/dataset_info.json; "
        "cat /app/data/registrations/f1/complete.json",
        target="/app/data",
    )
    data, info, marker = seen.splitlines()
    assert data == faq.read_text()
    assert info + "\n" == INFO
    assert json.loads(marker) == {"fingerprint": "f1", "token": "t1"}
    assert bench.containers() == []


def test_nothing_is_sent_twice_and_nothing_is_started(bench: Bench, faq: Path):
    spec = registration(bench, faq)
    moment = time.time()
    first = bench.run("steps/register_datasets", "converge", spec)
    second = bench.run("steps/register_datasets", "converge", {**spec, "token": "t2"})
    assert "already in the volume" in second.words
    assert first.output == second.output
    assert bench.starts_since(moment) == []


def test_an_upload_that_was_cut_off_is_made_again(bench: Bench, faq: Path):
    bench.shell(
        "mkdir -p /app/data/files/d1; echo '[{' > /app/data/files/d1/faq.json", target="/app/data"
    )
    bench.run("steps/register_datasets", "converge", registration(bench, faq))
    assert bench.shell("cat /app/data/files/d1/faq.json", target="/app/data") == faq.read_text()


def test_a_large_file_is_streamed(bench: Bench, small_tmp: Path):
    file = small_tmp / "large.jsonl"
    line = b"0123456789abcdef" * 4096
    with file.open("wb") as data:
        for _ in range(1024):
            data.write(line)
    spec = registration(bench, file)
    process = bench.start("steps/register_datasets", "converge", spec)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        grown = [line for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(line.split()[1]) for line in grown)])
        time.sleep(0.01)
    assert bench.end(process).code == 0
    assert peak < 60_000, f"{peak} kB for a file of 65536 kB"
    digest = bench.shell("sha256sum /app/data/files/d1/faq.json", target="/app/data").split()[0]
    assert digest == spec["datasets"][0]["digest"]


def test_a_file_that_changed_meanwhile_is_refused(bench: Bench, faq: Path):
    spec = registration(bench, faq)
    faq.write_text("something else")
    outcome = bench.run("steps/register_datasets", "converge", spec)
    assert outcome.code == 1
    assert "changed after" in outcome.words
    assert bench.containers() == []


def test_a_file_that_is_gone_is_explained(bench: Bench, faq: Path):
    spec = registration(bench, faq)
    faq.unlink()
    outcome = bench.run("steps/register_datasets", "converge", spec)
    assert outcome.code == 1
    assert f"{faq} is not there any more" in outcome.words


def test_delete_leaves_the_data(bench: Bench, faq: Path):
    spec = registration(bench, faq)
    bench.run("steps/register_datasets", "converge", spec)
    assert bench.run("steps/register_datasets", "delete", spec).result == {"removed": 0}
    assert bench.shell("ls /app/data/files/d1", target="/app/data").strip() == "faq.json"
