"""Data sets in the data volume: uploaded once, registered, vouched for (D3, D4)."""

import json
import time
from pathlib import Path

import pytest

from plan.container import Mount
from plan.identity import file_digest
from plan.step import DatasetFile, DatasetRegistrationStep
from tests.runtime.conftest import IMAGE, Bench, end

pytestmark = pytest.mark.engine

INFO = '{"faq": {"file_name": "/app/data/files/d1/faq.json"}}\n'


def registration(bench: Bench, file: Path) -> DatasetRegistrationStep:
    return DatasetRegistrationStep(
        name=f"{bench.stack}-dataset-registration",
        identity="f1",
        image=IMAGE,
        mount=Mount(source=bench.make_volume("data"), target="/app/data"),
        files=(
            DatasetFile(
                name="faq",
                source=str(file),
                digest=file_digest(file),
                target="/app/data/files/d1/faq.json",
            ),
        ),
        info=INFO,
        marker="/app/data/registrations/f1/complete.json",
    )


def look(bench: Bench, script: str) -> str:
    return bench.shell(script, volume=f"{bench.stack}-data", target="/app/data")


@pytest.fixture
def faq(tmp_path: Path) -> Path:
    file = tmp_path / "faq.json"
    file.write_text('[{"instruction": "how?", "output": "so"}]')
    return file


def test_data_and_registration_are_in_the_volume(bench: Bench, faq: Path):
    outcome = bench.run("dataset-registration", "converge", registration(bench, faq))
    assert outcome.code == 0, outcome.words
    assert outcome.result == {
        "identity": "f1",
        "datasets": {"faq": "/app/data/files/d1/faq.json"},
    }
    seen = look(
        bench,
        "cat /app/data/files/d1/faq.json; echo; cat /app/data/dataset_info.json; "
        "cat /app/data/registrations/f1/complete.json",
    )
    data, info, marker = seen.splitlines()
    assert data == faq.read_text()
    assert info + "\n" == INFO
    assert json.loads(marker) == {
        "identity": "f1",
        "step": f"{bench.stack}-dataset-registration",
        "stack": bench.stack,
        "token": "t1",
    }
    assert bench.containers() == []


def test_nothing_is_sent_twice_and_nothing_is_started(bench: Bench, faq: Path):
    step = registration(bench, faq)
    moment = time.time()
    first = bench.run("dataset-registration", "converge", step)
    second = bench.run("dataset-registration", "converge", step, token="t2")
    assert "already in the volume" in second.words
    assert first.output == second.output
    assert bench.starts_since(moment) == []


def test_an_upload_that_was_cut_off_is_made_again(bench: Bench, faq: Path):
    step = registration(bench, faq)
    look(bench, "mkdir -p /app/data/files/d1; echo '[{' > /app/data/files/d1/faq.json")
    bench.run("dataset-registration", "converge", step)
    assert look(bench, "cat /app/data/files/d1/faq.json") == faq.read_text()


def test_a_large_file_is_streamed(bench: Bench, small_tmp: Path):
    file = small_tmp / "large.jsonl"
    line = b"0123456789abcdef" * 4096
    with file.open("wb") as data:
        for _ in range(1024):
            data.write(line)
    step = registration(bench, file)
    process = bench.start("dataset-registration", "converge", step)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        grown = [line for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(line.split()[1]) for line in grown)])
        time.sleep(0.01)
    assert end(process).code == 0
    assert peak < 60_000, f"{peak} kB for a file of 65536 kB"
    digest = look(bench, "sha256sum /app/data/files/d1/faq.json").split()[0]
    assert digest == step.files[0].digest


def test_a_file_that_changed_meanwhile_is_refused(bench: Bench, faq: Path):
    step = registration(bench, faq)
    faq.write_text("something else")
    outcome = bench.run("dataset-registration", "converge", step)
    assert outcome.code == 1
    assert "changed after" in outcome.words
    assert bench.containers() == []


def test_a_file_that_is_gone_is_explained(bench: Bench, faq: Path):
    step = registration(bench, faq)
    faq.unlink()
    outcome = bench.run("dataset-registration", "converge", step)
    assert outcome.code == 1
    assert f"{faq} is not there any more" in outcome.words


def test_delete_leaves_the_data(bench: Bench, faq: Path):
    step = registration(bench, faq)
    bench.run("dataset-registration", "converge", step)
    assert bench.run("dataset-registration", "delete", step).result == {"removed": 0}
    assert look(bench, "ls /app/data/files/d1").strip() == "faq.json"
