"""Data sets in the data volume: uploaded once, registered, vouched for (D3, D4)."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from plan.container import Mount
from plan.identity import file_digest, tree_digest
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
        "seconds": None,
        "has_sums": False,
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


class TestFolders:
    """Data in many files, and the images, videos and audios that rows name."""

    @pytest.fixture
    def step(self, bench: Bench, tmp_path: Path) -> DatasetRegistrationStep:
        folder = tmp_path / "media"
        (folder / "deep").mkdir(parents=True)
        (folder / "a.png").write_bytes(b"first")
        (folder / "deep/b.png").write_bytes(b"second")
        media = DatasetFile(
            name="faq",
            source=str(folder),
            digest=tree_digest(folder),
            target="/app/data/media/d2",
        )
        (tmp_path / "faq.json").write_text("[]")
        step = registration(bench, tmp_path / "faq.json")
        return replace(step, files=(*step.files, media))

    def test_all_of_it_is_sent(self, bench: Bench, step: DatasetRegistrationStep):
        outcome = bench.run("dataset-registration", "converge", step)
        assert outcome.code == 0, outcome.words
        assert outcome.result["datasets"] == {"faq": "/app/data/files/d1/faq.json"}
        assert look(bench, "cd /app/data/media; cat d2/a.png d2/deep/b.png") == "firstsecond"
        # What lies beside the folder is none of its files: LLaMA-Factory reads whole folders.
        assert look(bench, "find /app/data/media/d2 -type f | wc -l").strip() == "2"

    def test_it_is_sent_once(self, bench: Bench, step: DatasetRegistrationStep):
        bench.run("dataset-registration", "converge", step)
        second = bench.run("dataset-registration", "converge", step)
        assert second.words.count("already in the volume") == 2

    def test_one_that_was_cut_off_is_sent_again(self, bench: Bench, step: DatasetRegistrationStep):
        look(bench, "mkdir -p /app/data/media/d2; echo half > /app/data/media/d2/a.png")
        bench.run("dataset-registration", "converge", step)
        assert look(bench, "cd /app/data/media; cat d2/a.png d2/deep/b.png") == "firstsecond"

    def test_one_that_changed_meanwhile_is_refused(
        self, bench: Bench, step: DatasetRegistrationStep
    ):
        (Path(step.files[1].source) / "c.png").write_bytes(b"third")
        outcome = bench.run("dataset-registration", "converge", step)
        assert outcome.code == 1
        assert "media changed after `pulumi up` had read it" in outcome.words


def test_a_hubs_data_set_is_registered_and_nothing_is_sent(bench: Bench, faq: Path):
    info = '{"far": {"hf_hub_url": "acme/far"}}\n'
    step = replace(registration(bench, faq), files=(), info=info)
    outcome = bench.run("dataset-registration", "converge", step)
    assert outcome.result["datasets"] == {"far": "acme/far"}
    assert look(bench, "cat /app/data/dataset_info.json; ls /app/data") == (
        info + "dataset_info.json\nregistrations\n"
    )
