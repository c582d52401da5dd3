"""Tokens: work, images and services that are there keep theirs, what is gone gets a new one."""

import hashlib
import io
import json
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plan import labels
from plan.codec import encode
from plan.container import Mount
from plan.host import HostQuestions, Probe, TokenQuestions, Tokens
from plan.marker import ServedModelMarker
from plan.owner import Owner
from plan.paths import OLLAMA_BLOBS
from plan.training_record import TrainingRecord
from runtime.host.look import HostLook
from tests.runtime.conftest import IMAGE, TOKEN, Bench

pytestmark = [
    pytest.mark.engine,
    # Of a command inside a container the SDK leaves the connection to the garbage collection.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MARKER = '{\\"identity\\": \\"f1\\", \\"token\\": \\"TOKEN\\"}'


def probe(bench: Bench, marker: str = "m.json", **changes: Any) -> Probe:
    """A look for finished work of step `s`."""
    found = Probe(
        step="s", source=bench.volume, mounted_at="/app/output", marker=f"/app/output/{marker}"
    )
    return replace(found, **changes)


def write(
    bench: Bench, name: str = "m.json", token: str = TOKEN, volume: str | None = None
) -> None:
    text = MARKER.replace("TOKEN", token)
    bench.shell(f'echo "{text}" > /app/output/{name}', volume=volume)


def hold_volume(
    bench: Bench, command: list[str], *, target: str = "/app/output", mode: str = "ro"
) -> None:
    """A container of the stack that runs, and that a look can look through."""
    bench.client.containers.run(
        IMAGE,
        command,
        detach=True,
        init=True,
        network_mode="none",
        volumes={bench.volume: {"bind": target, "mode": mode}},
        labels=bench.owner.labels,
    )


def ask(bench: Bench, questions: HostQuestions, asked: TokenQuestions) -> Tokens:
    """What another look at the host says."""
    with closing(HostLook(None, bench.owner, asks=True)) as look:
        assert look.findings(questions).problems == ()
        return look.tokens(asked)


def steps(bench: Bench, questions: HostQuestions, *probes: Probe) -> Tokens:
    return ask(bench, questions, TokenQuestions(probes=probes))


class TestSteps:
    def test_finished_work_has_its_markers_token_and_the_rest_a_new_one(
        self, bench: Bench, questions: HostQuestions
    ):
        write(bench)
        bench.shell("echo '{' > /app/output/cut")
        probes = [
            probe(bench),
            probe(bench, "missing.json", step="missing"),
            probe(bench, "cut", step="cut"),
            probe(bench, step="elsewhere", source=f"{bench.stack}-none"),
        ]
        first, second = steps(bench, questions, *probes), steps(bench, questions, *probes)
        assert first.steps["s"] == second.steps["s"] == "t1"
        assert first.missing == second.missing == ("missing", "cut", "elsewhere")
        for lost in first.missing:
            assert first.steps[lost] != second.steps[lost]
        assert bench.containers() == []

    def test_a_container_of_the_stack_that_mounts_the_volume_is_enough(
        self, bench: Bench, questions: HostQuestions
    ):
        write(bench)
        bench.client.containers.create(
            IMAGE,
            volumes={bench.volume: {"bind": "/app/output", "mode": "ro"}},
            labels=bench.owner.labels,
        )
        found = ask(bench, questions, TokenQuestions(probes=(probe(bench),)))
        assert found.steps == {"s": "t1"}

    @pytest.mark.parametrize(
        "command", [["sleep", "600"], ["sh", "-c", "rm $(which tar); sleep 600"]]
    )
    def test_one_that_runs_is_asked_itself_with_or_without_tar(
        self, bench: Bench, questions: HostQuestions, command: list[str]
    ):
        for name in ("a", "b"):
            write(bench, f"{name}.json", name)
        hold_volume(bench, command)
        probes = tuple(probe(bench, f"{name}.json", step=name) for name in ("a", "b", "lost"))
        found = ask(bench, questions, TokenQuestions(probes=probes))
        assert (found.steps["a"], found.steps["b"]) == ("a", "b")
        assert len(found.steps["lost"]) == 32

    def test_a_model_counts_only_while_it_is_the_one_that_is_served(
        self, bench: Bench, questions: HostQuestions
    ):
        bench.shell(
            "cd /app/output; printf one > manifest; digest=$(sha256sum manifest | cut -d' ' -f1); "
            'echo "{\\"identity\\": \\"f1\\", \\"token\\": \\"t1\\", \\"step\\": \\"s\\", '
            '\\"model\\": \\"guide:latest\\", \\"manifest\\": \\"/app/output/manifest\\", '
            '\\"manifest_digest\\": \\"$digest\\"}" > m.json'
        )
        served = probe(bench, manifest="/app/output/manifest")
        assert steps(bench, questions, served).steps == {"s": "t1"}
        bench.shell("printf other > /app/output/manifest")
        assert steps(bench, questions, served).missing == ("s",)
        bench.shell("rm /app/output/manifest")
        assert steps(bench, questions, served).missing == ("s",)

    @pytest.mark.parametrize("command", [None, ["sleep", "600"]])
    def test_a_served_model_that_lacks_a_part_of_a_layer_is_made_again(
        self, bench: Bench, questions: HostQuestions, command: list[str] | None
    ):
        layer = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
        told = {"digest": layer, "size": 7}
        manifest = json.dumps({"layers": [told], "config": told})
        served = ServedModelMarker(
            identity="f1",
            step="s",
            model="guide:latest",
            manifest="/root/.ollama/manifest",
            manifest_digest=hashlib.sha256(manifest.encode()).hexdigest(),
            token="t1",
        )
        store, blob = "/root/.ollama", OLLAMA_BLOBS / layer.replace(":", "-")

        def shell(script: str) -> None:
            bench.shell(script, target=store)

        shell(
            f"mkdir -p {OLLAMA_BLOBS}; printf '%s' '{manifest}' > {store}/manifest; "
            f"printf '%s' '{encode(served)}' > {store}/m.json; printf weights > {blob}"
        )
        if command:
            hold_volume(bench, command, target=store, mode="rw")
        asked = replace(
            probe(bench, mounted_at=store, manifest=f"{store}/manifest"), marker=f"{store}/m.json"
        )
        assert steps(bench, questions, asked).steps == {"s": "t1"}
        for harm in (f"truncate -s 3 {blob}", f"rm {blob}"):
            shell(harm)
            found = steps(bench, questions, asked)
            assert found.missing == ("s",)
            assert found.steps["s"] != "t1"
            assert layer in found.damaged["s"]

    def test_a_directory_of_the_host_is_looked_into_as_well(
        self, bench: Bench, questions: HostQuestions, tmp_path: Path
    ):
        there, gone = str(tmp_path), str(tmp_path / "gone")
        write(bench, volume=there)
        assert steps(bench, questions, probe(bench, source=there)).steps == {"s": "t1"}
        assert steps(bench, questions, probe(bench, source=gone)).missing == ("s",)


class TestTrainingRecords:
    @pytest.mark.parametrize(
        "command", [None, ["sleep", "600"], ["sh", "-c", "rm $(which tar); sleep 600"]]
    )
    def test_they_come_with_the_markers_the_latest_last(
        self, bench: Bench, questions: HostQuestions, command: list[str] | None
    ):
        write(bench)
        bench.shell("mkdir /app/output/training-records")
        for name, moment in (("f1", 20.0), ("f2", 10.0)):
            record = TrainingRecord(
                identity=name, step="s", arguments="", steps=1, finished_at=moment
            )
            text = encode(record).replace('"', '\\"')
            bench.shell(f'echo "{text}" > /app/output/training-records/{name}.json')
        bench.shell("echo '{' > /app/output/training-records/cut.json")
        if command:
            hold_volume(bench, command)
        mount = Mount(source=bench.volume, target="/app/output")
        for probes in ((probe(bench),), ()):
            asked = TokenQuestions(probes=probes, training_records=mount)
            found = ask(bench, questions, asked)
            assert [each.identity for each in found.training_records] == ["f2", "f1"]
            assert dict(found.steps) == {each.step: "t1" for each in probes}

    def test_there_are_none_before_the_first_training(self, bench: Bench, questions: HostQuestions):
        write(bench)
        for source in (bench.volume, f"{bench.stack}-none"):
            mount = Mount(source=source, target="/app/output")
            asked = TokenQuestions(probes=(probe(bench),), training_records=mount)
            assert ask(bench, questions, asked).training_records == ()


class TestImages:
    @staticmethod
    def build(bench: Bench, tag: str, **own: str) -> str:
        """An image of one empty folder, as a build leaves it; its reference."""
        context = io.BytesIO()
        file = b"FROM scratch\nLABEL by=tests\n"
        with tarfile.open(fileobj=context, mode="w") as tar:
            entry = tarfile.TarInfo("Dockerfile")
            entry.size = len(file)
            tar.addfile(entry, io.BytesIO(file))
        context.seek(0)
        reference = f"{bench.stack}:{tag}"
        bench.client.images.build(
            fileobj=context, custom_context=True, tag=reference, labels=own, rm=True
        )
        return reference

    def test_one_that_is_there_says_its_token_and_one_that_is_gone_gets_a_new_one(
        self, bench: Bench, questions: HostQuestions
    ):
        built = self.build(bench, "built", **{labels.TOKEN: "t1"})
        plain = self.build(bench, "plain")
        try:
            asked = TokenQuestions(
                images={"llamafactory": built, "ollama": plain, "converter": f"{built}-gone"}
            )
            first, second = ask(bench, questions, asked), ask(bench, questions, asked)
            assert first.images["llamafactory"] == "t1"
            assert first.images["ollama"] == ""
            assert first.images["converter"] != second.images["converter"]
            assert len(first.images["converter"]) == 32
        finally:
            for reference in (built, plain):
                bench.client.images.remove(reference, force=True)


class TestServices:
    @staticmethod
    def make(bench: Bench, name: str, owner: Owner | None = None) -> Any:
        given = {**(owner or bench.owner).labels, labels.TOKEN: f"token-{name}"}
        return bench.client.containers.run(
            IMAGE,
            ["sleep", "600"],
            name=f"{bench.stack}-{name}",
            detach=True,
            network_mode="none",
            stop_signal="SIGKILL",
            labels=given,
        )

    def test_one_that_runs_keeps_its_token_and_others_get_a_new_one(
        self, bench: Bench, questions: HostQuestions
    ):
        self.make(bench, "board")
        self.make(bench, "api").stop()
        names = [f"{bench.stack}-{name}" for name in ("board", "api", "gone")]
        asked = TokenQuestions(services=tuple(names))
        first, second = ask(bench, questions, asked), ask(bench, questions, asked)
        board, *others = names
        assert first.services[board] == second.services[board] == "token-board"
        for service in others:
            assert len(first.services[service]) == 32
            assert first.services[service] != second.services[service]

    def test_one_of_another_user_is_not_the_stacks(self, bench: Bench, questions: HostQuestions):
        self.make(bench, "board", Owner(stack=bench.stack, id="another"))
        name = f"{bench.stack}-board"
        found = ask(bench, questions, TokenQuestions(services=(name,)))
        assert found.services[name] != "token-board"
