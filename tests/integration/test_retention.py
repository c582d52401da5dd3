"""Retention on the real engine: what stays, what goes, and what is never touched (O4).

The first part fills volumes by hand and takes seconds. The story of a whole stack is nightly; the
demo's, in test_demo.py, is not.
"""

import json
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

import docker
import httpx
import pytest

from plan import labels, paths
from plan.codec import encode
from plan.container import Mount
from plan.host import HostFacts
from plan.image import ImagesPlan
from plan.marker import ArtefactMarker
from plan.pipeline import PipelinePlan
from plan.references import References
from plan.removal import DoomedFolder, HubSnapshot, Removal
from plan.step import KeptArtefactsStep
from planning.pipeline import plan_pipeline
from runtime.docker.engine import Engine as ProductEngine
from runtime.failure import StepError
from runtime.host.snapshot import take_snapshot
from runtime.host.superseded import find_superseded
from runtime.removal import remove_folders
from stack_configs.settings.loader import parse_settings
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack
from tests.report.conftest import DOCUMENT, exported
from tests.runtime.conftest import IMAGE, Bench
from tests.terminal import Terminal

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.timeout(1200),
    # Of a command inside a container the SDK leaves the connection to the garbage collection.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NOW = "0" * 16


@pytest.fixture(scope="module")
def bench(engine: Engine) -> Iterator[Bench]:
    """A stack's worth of names, with a volume."""
    made = Bench(engine.client, stack=f"{labels.NAMESPACE}-test-{secrets.token_hex(4)}")
    made.make_volume()
    try:
        yield made
    finally:
        made.clear()


def put_artefact(bench: Bench, identity: str, *, age: int, step: str, stack: str = "") -> None:
    """An artefact as its step leaves it, of so many hours ago."""
    bench.shell(artefact_script(bench, identity, age, step, stack))


def artefact_script(bench: Bench, name: str, age: int, step: str, stack: str = "") -> str:
    marker = ArtefactMarker(
        identity=name.removesuffix(paths.PARTIAL), step=step, stack=stack or bench.stack
    )
    folder = f"{paths.RUNS}/{name}"
    return (
        f"mkdir -p {folder}; echo '{encode(marker)}' > {folder}/{paths.MARKER}; "
        f"head -c 100000 /dev/zero > {folder}/weights; "
        f"find {folder} -exec touch -d '-{age} hours' {{}} +"
    )


def artefacts(bench: Bench) -> set[str]:
    return set(bench.shell(f"ls {paths.RUNS}").split())


def retention(*words: str | Path, env: Mapping[str, str] | None = None) -> Any:
    """The program as make calls it."""
    return subprocess.run(
        [sys.executable, "-m", "retention", *words],
        cwd=PROJECT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class TestKept:
    """`models[].keep`, as an up that has come to its end applies it."""

    @pytest.fixture
    def sft(self, bench: Bench) -> str:
        """Name of a step that has made four artefacts; those of others beside them."""
        bench.shell(f"rm -rf {paths.RUNS}")
        name = f"{bench.stack}-guide-sft"
        for age, identity in enumerate((NOW, "1" * 16, "2" * 16, "3" * 16)):
            put_artefact(bench, identity, age=age, step=name)
        put_artefact(bench, "a" * 16, age=9, step=f"{bench.stack}-poet-sft")
        put_artefact(bench, "b" * 16, age=9, step=name, stack="finetune-stack-other")
        put_artefact(bench, f"{'c' * 16}.partial", age=9, step=name)
        return name

    def step(self, bench: Bench, images: ImagesPlan, **keep: int) -> KeptArtefactsStep:
        return KeptArtefactsStep(
            name=f"{bench.stack}-kept-artefacts",
            image=images.llamafactory.reference,
            mount=bench.mount(),
            references=References(
                paths=(f"{paths.RUNS}/{NOW}",),
                keep={f"{bench.stack}-{name}-sft": count for name, count in keep.items()},
            ),
        )

    @pytest.mark.capability("O4")
    def test_the_last_of_each_step_stay(self, bench: Bench, images: ImagesPlan, sft: str):
        step = self.step(bench, images, guide=1)
        outcome = bench.run("kept-artefacts", "converge", step)
        assert outcome.result == {"removed": ["2" * 16, "3" * 16]}, outcome.words
        assert f"removing {'3' * 16} of {sft} (100." in outcome.words
        others = {"a" * 16, "b" * 16, f"{'c' * 16}.partial"}
        assert artefacts(bench) == {NOW, "1" * 16, *others}
        # The containers that looked and removed are gone with what they did.
        assert {each.name for each in bench.containers()} == set()
        assert bench.run("kept-artefacts", "converge", step).result == {"removed": []}

    def test_preview_tells_the_same(self, bench: Bench, images: ImagesPlan, sft: str):
        engine, step = ProductEngine(), self.step(bench, images, guide=1)
        server = bench.client.containers.run(
            images.ollama.reference,
            entrypoint=["sleep", "600"],
            volumes={bench.volume: {"bind": str(paths.OUTPUT), "mode": "ro"}},
            labels=bench.owner.labels,
            init=True,
            network_mode="none",
            detach=True,
        )
        try:
            found = find_superseded(engine, take_snapshot(engine), bench.owner, step)
        finally:
            server.remove(force=True)
            engine.close()
        assert [(each.identity, each.step) for each in found] == [("2" * 16, sft), ("3" * 16, sft)]
        assert all(100_000 < each.bytes < 101_000 for each in found)

    def test_what_another_stack_has_too_is_left_alone(
        self, bench: Bench, images: ImagesPlan, sft: str
    ):
        there = artefacts(bench)
        neighbour = bench.client.containers.create(
            images.ollama.reference,
            volumes={bench.volume: {"bind": str(paths.OUTPUT), "mode": "ro"}},
            labels={labels.STACK: "finetune-stack-other", labels.OWNER: "ffff"},
        )
        try:
            outcome = bench.run("kept-artefacts", "converge", self.step(bench, images, guide=0))
        finally:
            neighbour.remove(force=True)
        assert outcome.result == {"removed": []}
        assert "finetune-stack-other" in outcome.words
        assert artefacts(bench) == there


class TestRemoval:
    def test_one_that_is_killed_leaves_nothing_that_looks_complete(
        self, bench: Bench, images: ImagesPlan
    ):
        """As soon as it does not look complete any more; then once more, to the end."""
        doomed = paths.RUNS / "deadbeef"
        bench.shell(f"mkdir -p {doomed} && cd {doomed} && seq 5000 | xargs touch complete.json")
        owner, mount = bench.owner, bench.mount()
        image = images.llamafactory.reference
        program = subprocess.Popen(
            [sys.executable, "-c", REMOVE, image, bench.stack, owner.id, str(doomed)], cwd=PROJECT
        )
        bench.wait(lambda: doomed.name not in artefacts(bench))
        program.send_signal(signal.SIGKILL)
        program.wait()
        for container in bench.containers():
            container.remove(force=True)
        assert doomed.name not in artefacts(bench)
        engine = ProductEngine()
        rest = Removal(folders=(DoomedFolder(path=f"{doomed}{paths.REMOVED}"),))
        remove_folders(engine, owner, rest, image=image, mounts=(mount,))
        engine.close()
        assert not [name for name in artefacts(bench) if name.startswith(doomed.name)]

    def test_one_commit_goes_and_another_keeps_the_files_of_both(
        self, bench: Bench, images: ImagesPlan
    ):
        """With the hub's own library on its own layout."""
        volume = bench.make_volume("hf-cache")
        bench.shell(HUB_CACHE, volume=volume, target=str(paths.HF_CACHE))
        snapshot = HubSnapshot(repo="org/tiny", commit="1" * 40)
        folder = DoomedFolder(path=f"{paths.HF_CACHE}/runs/f1", snapshot=snapshot)
        engine = ProductEngine()
        remove_folders(
            engine,
            bench.owner,
            Removal(folders=(folder,)),
            image=images.llamafactory.reference,
            mounts=(Mount(source=volume, target=str(paths.HF_CACHE)),),
        )
        engine.close()
        listed = "cd hub/models--org--tiny; cat snapshots/*/*; ls snapshots blobs ../../runs"
        said = bench.shell(
            f"cd {paths.HF_CACHE}; {listed}", volume=volume, target=str(paths.HF_CACHE)
        )
        assert said.startswith("new\nshared\n"), said
        assert "1" * 40 not in said
        assert "old-weights" not in said
        assert "shared-config" in said
        assert "f1" not in said

    def test_what_cannot_be_removed_is_told(self, bench: Bench, images: ImagesPlan):
        bench.shell(f"mkdir -p {paths.RUNS}/stuck")
        engine = ProductEngine()
        read_only = replace(bench.mount(), read_only=True)
        doomed = Removal(folders=(DoomedFolder(path=f"{paths.RUNS}/stuck"),))
        with pytest.raises(StepError, match="Read-only file system"):
            remove_folders(
                engine,
                bench.owner,
                doomed,
                image=images.llamafactory.reference,
                mounts=(read_only,),
            )
        engine.close()
        assert "stuck" in artefacts(bench)


REMOVE = """
import sys
from plan.container import Mount
from plan.owner import Owner
from plan.removal import DoomedFolder, Removal
from runtime.docker.engine import Engine
from runtime.removal import remove_folders
image, stack, owner, path = sys.argv[1:]
mount = Mount(source=f"{stack}-output", target="/app/output")
removal = Removal(folders=(DoomedFolder(path=path),))
remove_folders(Engine(), Owner(stack=stack, id=owner), removal, image=image, mounts=(mount,))
"""

HUB_CACHE = f"""
cd {paths.HF_CACHE}
mkdir -p runs/f1 hub/models--org--tiny/blobs hub/models--org--tiny/refs
cd hub/models--org--tiny
echo old > blobs/old-weights; echo new > blobs/new-weights; echo shared > blobs/shared-config
for commit in {"1" * 40} {"2" * 40}; do
  mkdir -p snapshots/$commit
  ln -s ../../blobs/shared-config snapshots/$commit/z-config.json
done
ln -s ../../blobs/old-weights snapshots/{"1" * 40}/model.safetensors
ln -s ../../blobs/new-weights snapshots/{"2" * 40}/model.safetensors
printf {"2" * 40} > refs/main
"""


@dataclass(frozen=True)
class Lived:
    """A stack that has trained under two settings, with its volumes and its state."""

    bench: Bench
    state: Path
    now: PipelinePlan
    before: PipelinePlan

    @property
    def sft(self) -> str:
        """Identity of the training that the settings refer to."""
        return self._sft(self.now)

    @property
    def superseded_sft(self) -> str:
        return self._sft(self.before)

    @staticmethod
    def _sft(plan: PipelinePlan) -> str:
        return next(s.identity for s in plan.models[0].steps if s.noun == "training-run")

    @property
    def superseded(self) -> set[str]:
        """What the one settings made and the other do not refer to."""
        return {s.identity for s in self.before.container_steps} - {
            s.identity for s in self.now.container_steps
        }


@pytest.fixture(scope="module")
def lived(
    engine: Engine, images: ImagesPlan, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("lived")
    bench = Bench(engine.client, stack=f"{labels.NAMESPACE}-test-{secrets.token_hex(4)}")
    made = lived_stack(bench, images, folder)
    try:
        yield made
    finally:
        bench.clear()


class TestPrune:
    """On volumes that were filled by hand, as the steps of a real plan would."""

    def test_the_room_is_told_by_model_step_and_kind(self, lived: Lived):
        told = retention("usage", lived.state)
        assert told.returncode == 0, told.stderr
        assert "\x1b" not in told.stdout, "it is no terminal"
        rows = [re.split(r" {2,}", line) for line in told.stdout.splitlines()]
        # Of each setting one that is complete and one that was interrupted.
        assert ["guide", "sft", "checkpoints", "200.3 kB (2)", "200.3 kB (2)"] in rows
        assert ["poet", "merge", "merged weights", "100.2 kB (1)"] in rows
        assert next(row for row in rows if row[1:2] == ["data"])[2:] == ["1.2 kB (2)", "5 B (1)"]
        assert "make prune STACK=test" in told.stdout

    def test_it_asks_and_a_no_removes_nothing(self, lived: Lived):
        there = artefacts(lived.bench)
        command = [sys.executable, "-m", "retention", "prune", str(lived.state)]
        with Terminal(command) as terminal:
            terminal.see(lived.superseded_sft.encode())
            terminal.see(b"Remove all of it? [y/N] ")
            terminal.press(b"n\n")
            terminal.see(b"nothing is removed")
            assert terminal.end() == 1
        assert artefacts(lived.bench) == there

    def test_while_superseded_work_runs_all_that_it_may_read_stays(self, lived: Lived):
        """Its settings are others now, and it has not been told yet."""
        bench, there = lived.bench, artefacts(lived.bench)
        with at_work(bench, lived.superseded_sft):
            done = retention("prune", lived.state, "--yes")
        assert done.returncode == 0, done.stderr
        assert artefacts(bench) == there

    @pytest.mark.capability("O4")
    def test_exactly_what_was_shown_goes(self, lived: Lived):
        bench, there = lived.bench, artefacts(lived.bench)
        failed = bench.client.containers.create(
            IMAGE, labels={**bench.owner.labels, labels.STEP: "a"}, name=f"{bench.stack}-a"
        )
        failed.start()
        failed.wait()
        with at_work(bench, lived.sft):
            done = retention("prune", lived.state, "--yes")
        assert done.returncode == 0, done.stderr
        shown = set(re.findall(r" ([0-9a-f]{16}(?:\.\w+)?)  ", done.stdout))
        assert shown == {*lived.superseded, f"{lived.superseded_sft}{paths.PARTIAL}"}
        assert there - artefacts(bench) == shown
        assert f"{lived.sft}{paths.PARTIAL}" in artefacts(bench), "the next up goes on with it"
        assert bench.container("a") is None
        data = bench.shell("ls /app/data/files", volume=f"{bench.stack}-data", target="/app/data")
        assert "0123456789abcdef" not in data
        assert len(data.split()) == 1
        # What looked and removed is gone with it, and a second one has nothing to do.
        assert bench.containers() == []
        again = retention("prune", lived.state, "--yes")
        assert again.stdout.endswith("there is nothing that no stack refers to\n")


@contextmanager
def at_work(bench: Bench, identity: str) -> Iterator[None]:
    """A container of a step of the stack that does this work."""
    given = {**bench.owner.labels, labels.STEP: "s", labels.IDENTITY: identity}
    container = bench.client.containers.run(
        IMAGE,
        ["sleep", "600"],
        labels=given,
        volumes={bench.volume: {"bind": str(paths.OUTPUT), "mode": "rw"}},
        init=True,
        network_mode="none",
        detach=True,
    )
    try:
        yield
    finally:
        container.remove(force=True)


def lived_stack(bench: Bench, images: ImagesPlan, folder: Path) -> Lived:
    """Artefacts of two settings, an interrupted one of each, and data of three registrations."""
    (folder / "questions.json").write_text('[{"instruction": "Hi?", "output": "Hi."}]')

    def planned(learning_rate: float) -> tuple[PipelinePlan, dict[str, Any]]:
        document = json.loads(json.dumps(DOCUMENT))
        document["models"][0]["training_runs"][0]["learning_rate"] = learning_rate
        settings = parse_settings(document, directory=folder, source="lived.yaml")
        plan = plan_pipeline(settings, owner=bench.owner, facts=HostFacts())
        return plan, settings.model_dump(mode="json")

    (now, settings), (before, _) = planned(0.001), planned(0.002)
    lived = Lived(bench=bench, state=folder / "state.json", now=now, before=before)
    text = exported(now, settings)
    image = now.images.llamafactory.reference
    lived.state.write_text(text.replace(image, images.llamafactory.reference))
    for role in ("data", "output", "hf-cache", "ollama"):
        bench.make_volume(role)
    names = {s.identity: s.name for plan in (before, now) for s in plan.container_steps}
    names[f"{lived.sft}{paths.PARTIAL}"] = names[lived.sft]
    names[f"{lived.superseded_sft}{paths.PARTIAL}"] = names[lived.sft]
    bench.shell("\n".join(artefact_script(bench, each, 0, name) for each, name in names.items()))
    registration = now.dataset_registration
    marker = ArtefactMarker(
        identity=registration.identity, step=registration.name, stack=bench.stack
    )
    (file,) = registration.files
    parents = [PurePosixPath(each).parent for each in (file.target, registration.marker)]
    bench.shell(
        f"mkdir -p {parents[0]} {parents[1]} /app/data/files/0123456789abcdef;"
        f"head -c 1000 /dev/zero > {file.target};"
        f"echo '{encode(marker)}' > {registration.marker};"
        "echo rows > /app/data/files/0123456789abcdef/rows.json",
        volume=f"{bench.stack}-data",
        target="/app/data",
    )
    return lived


class TestGone:
    """Stacks that no state knows any more."""

    @pytest.fixture
    def gone(self, engine: Engine) -> Iterator[Bench]:
        made = Bench(engine.client, stack=f"{labels.NAMESPACE}-test-{secrets.token_hex(4)}")
        made.make_volume()
        made.shell("head -c 5000000 /dev/zero > /app/output/weights")
        made.clear_lookouts()
        try:
            yield made
        finally:
            made.clear()

    def name(self, gone: Bench) -> str:
        return gone.stack.removeprefix(f"{labels.NAMESPACE}-")

    def test_its_volumes_are_shown_and_go_when_somebody_agrees(self, gone: Bench, bench: Bench):
        shown = retention("gone", self.name(gone))
        assert shown.returncode == 1
        assert "YES=1" in shown.stderr
        assert f"{gone.stack}-output  5.0 MB" in shown.stdout
        assert [volume.name for volume in volumes(gone)] == [gone.volume]

        done = retention("gone", self.name(gone), "--yes")
        assert done.returncode == 0, done.stderr
        assert "removed 1 item" in done.stdout
        assert volumes(gone) == []
        assert volumes(bench) != [], "another stack's"
        again = retention("gone", self.name(gone), "--yes")
        assert again.stdout == "there is nothing that no stack refers to\n"

    def test_one_that_lives_there_is_left_alone(self, gone: Bench):
        network = gone.client.networks.create(f"{gone.stack}-network", labels=gone.owner.labels)
        try:
            refused = retention("gone", self.name(gone), "--yes")
        finally:
            network.remove()
        assert refused.returncode == 1
        assert f"lives on this engine ({gone.stack}-network)" in refused.stderr
        assert [volume.name for volume in volumes(gone)] == [gone.volume]


def volumes(bench: Bench) -> Sequence[Any]:
    found: Sequence[Any] = bench.client.volumes.list(
        filters={"label": f"{labels.STACK}={bench.stack}"}
    )
    return found


class TestWholeStack:
    """Several trainings of one model, and what is left of them."""

    pytestmark = [pytest.mark.nightly]

    def trained(self, stack: Stack, learning_rate: float) -> str:
        """The identity of the training with that rate, after an up."""
        stack.run["learning_rate"] = learning_rate
        update = stack.up()
        assert update.returncode == 0, update.output
        return self.identity(stack, "sft")

    def identity(self, stack: Stack, noun: str) -> str:
        """Of what the state has of a step."""
        (request,) = (
            json.loads(resource["inputs"]["stdin"])
            for resource in stack.resources()
            if resource["urn"].endswith(f"pipeline-stack-guide-{noun}-command")
        )
        found: str = request["step"]["identity"]
        return found

    def there(self, stack: Stack, engine: Engine) -> set[str]:
        server = f"{stack.physical_name}-ollama-server"
        return set(listed(engine, server, str(paths.RUNS)))

    @pytest.fixture
    def state(self, stack: Stack) -> Path:
        return stack.home / "exported.json"

    def test_a_stack_that_came_up_once_has_nothing_left_over(
        self, stack: Stack, engine: Engine, state: Path
    ):
        stack.settings["board"] = {"enabled": False}
        stack.run["save_steps"] = 5
        first = self.trained(stack, 0.003)
        state.write_text(stack.exported())
        done = retention("prune", state, "--yes")
        assert done.stdout.endswith("there is nothing that no stack refers to\n"), done.stderr
        assert first in self.there(stack, engine)

    def test_what_a_killed_up_has_begun_is_gone_on_with(
        self, stack: Stack, engine: Engine, state: Path
    ):
        """A prune between the two knows what the settings of the killed one wanted."""
        first, name = self.identity(stack, "sft"), f"{stack.physical_name}-stack-guide-sft"
        stack.run["learning_rate"] = 0.004

        def has_checkpoint() -> bool:
            return any("checkpoint-" in line for line in partials(engine, name))

        stack.up_until(has_checkpoint, then=signal.SIGKILL)
        container = engine.client.containers.get(name)
        begun = f"{container.labels[labels.IDENTITY]}{paths.PARTIAL}"
        container.remove(force=True)
        state.write_text(stack.exported())
        done = retention("prune", state, "--yes")
        assert done.stdout.endswith("there is nothing that no stack refers to\n"), done.stderr
        assert {first, begun} <= self.there(stack, engine)

    @pytest.mark.capability("O4")
    def test_an_up_leaves_as_many_as_the_model_keeps(
        self, stack: Stack, engine: Engine, state: Path
    ):
        first, stack.model["keep"] = self.identity(stack, "sft"), 1
        second = self.trained(stack, 0.005)
        assert {first, second} <= self.there(stack, engine)
        state.write_text(stack.exported())
        done = retention("prune", state, "--yes")
        assert done.returncode == 0, done.stderr
        there = self.there(stack, engine)
        assert {first, second} <= there
        assert not [each for each in there if each.endswith(paths.PARTIAL)], "given up"

    def test_preview_tells_what_a_smaller_number_removes_and_an_up_does_so(
        self, stack: Stack, engine: Engine
    ):
        before, stack.model["keep"] = self.there(stack, engine), 0
        told = stack.preview().stdout
        update = stack.up()
        assert update.returncode == 0, update.output
        gone = before - self.there(stack, engine)
        assert len(gone) == 3, "a training, a merge and a conversion"
        for identity in gone:
            assert f"{identity} is superseded and goes" in told
        assert stack.up().changes.keys() == {"same"}
        with open(stack.settings["datasets"][0]["file"], encoding="utf-8") as file:  # noqa: PTH123
            row = json.load(file)[0]
        url = f"{stack.outputs()['ollama_url']}/api/generate"
        asked = {"model": "stack-guide", "prompt": row["instruction"], "stream": False}
        reply = httpx.post(url, json=asked, timeout=60).raise_for_status()
        assert reply.json()["response"].strip() == row["output"]


def partials(engine: Engine, name: str) -> list[str]:
    """What lies in the folder of a training that runs."""
    try:
        identity = engine.client.containers.get(name).labels[labels.IDENTITY]
        return listed(engine, name, f"{paths.RUNS}/{identity}{paths.PARTIAL}")
    except (docker.errors.NotFound, docker.errors.APIError):
        return []


def listed(engine: Engine, container: str, folder: str) -> list[str]:
    """Names in a folder of a running container."""
    said = engine.client.containers.get(container).exec_run(["ls", folder]).output
    return cast(bytes, said).decode().split()
