"""What missing work begins with is held against its sums, link by link of the chain."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plan import labels, paths
from plan.codec import decode, encode
from plan.container import Mount
from plan.damage import DamageReport, DamageRequest
from plan.host import Probe, TokenQuestions
from plan.owner import Owner
from planning.step import then_complete
from runtime.docker.engine import Engine
from runtime.failure import MissingError
from runtime.host import verification
from runtime.host.snapshot import Snapshot
from tests.images.conftest import load_program

PROGRAM = load_program(Path(__file__).parents[3] / "in_container/find_damage.py")
OWNER = Owner(stack="demo")
READER = "llamafactory:1"
CHAIN = {"base": (), "train": ("base",), "merge": ("base", "train"), "gguf": ("merge",)}
"""Each step, and what it begins with."""


@dataclass
class Host:
    """A volume with the artefacts of a chain, looked at without an engine."""

    volume: Path
    looks: list[list[str]] = field(default_factory=list)
    """Names of the artefacts of each look."""
    words: list[str] = field(default_factory=list)
    has_image: bool = True
    containers: list[Mapping[str, Any]] = field(default_factory=list)

    def folder(self, step: str) -> Path:
        return Path(paths.artefact(step, PurePosixPath(self.volume)))

    def make(self) -> None:
        for step in CHAIN:
            partial = Path(paths.partial(step, PurePosixPath(self.volume)))
            partial.mkdir(parents=True)
            (partial / "weights").write_text(f"weights of {step}")
            command = then_complete(step, "true", volume=PurePosixPath(self.volume))
            subprocess.run(command, check=True)

    def damage(self, *steps: str) -> None:
        for step in steps:
            (self.folder(step) / "weights").write_text("something else")

    def find(self, *missing: str) -> dict[str, str]:
        probes = tuple(
            Probe(
                step=step,
                source="demo-output",
                mounted_at=str(self.volume),
                marker=str(self.folder(step) / paths.MARKER),
                identity=step,
                reads=tuple(str(self.folder(each)) for each in reads),
            )
            for step, reads in CHAIN.items()
        )
        return verification.find_damaged(
            cast("Engine", self),
            cast("Snapshot", SimpleNamespace(containers=self.containers)),
            OWNER,
            TokenQuestions(probes=probes, reader=READER),
            {step: True for step in CHAIN if step not in missing},
            say=self.words.append,
        )

    @contextmanager
    def calls(self) -> Any:
        yield self

    def inspect_image(self, image: str) -> dict[str, str]:
        assert image == READER
        if not self.has_image:
            raise MissingError(404, image, "no such image")
        return {"Id": image}

    def look(
        self, _engine: Any, owner: Owner, request: DamageRequest, *, image: str, mounts: Any
    ) -> DamageReport:
        """The real program, beside the artefacts."""
        assert (owner, image) == (OWNER, READER)
        assert mounts == [Mount(source="demo-output", target=str(self.volume))]
        self.looks.append([PurePosixPath(each.folder).name for each in request.artefacts])
        asked, told = self.volume / "request.json", self.volume / "report.json"
        asked.write_text(encode(request))
        PROGRAM.main([str(asked), str(told)])
        return decode(DamageReport, told.read_text())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    made.make()
    monkeypatch.setattr(verification, "find_damage", made.look)
    return made


def test_where_all_is_there_nothing_is_read(host: Host) -> None:
    host.damage(*CHAIN)
    assert host.find() == {}
    assert host.looks == []
    assert host.words == []


@pytest.mark.parametrize(
    ("missing", "looks"),
    [
        (["gguf"], [["merge"]]),
        (["merge"], [["base", "train"]]),
        (["train", "merge", "gguf"], [["base"]]),
        (list(CHAIN), []),
    ],
)
def test_what_missing_work_begins_with_is_read_once(
    host: Host, missing: Sequence[str], looks: list[list[str]]
) -> None:
    assert host.find(*missing) == {}
    assert host.looks == looks


def test_what_is_damaged_is_found_and_what_nobody_reads_is_not_looked_at(host: Host) -> None:
    host.damage("merge", "gguf")
    assert host.find("gguf") == {"merge": f"weights {PROGRAM.OTHER}"}
    assert not host.folder("merge").exists()
    # What makes it again begins with these.
    assert host.looks == [["merge"], ["base", "train"]]


def test_the_chain_begins_again_at_the_last_good_step(host: Host) -> None:
    host.damage("merge", "train")
    assert list(host.find("gguf")) == ["merge", "train"]
    assert host.looks == [["merge"], ["base", "train"]]
    assert host.folder("base").exists()


def test_a_step_at_work_has_read_already(host: Host) -> None:
    host.damage("merge")
    given = {**OWNER.labels, labels.IDENTITY: "gguf"}
    host.containers = [{"State": "running", "Labels": given}]
    assert host.find("gguf") == {}
    host.containers = [{"State": "exited", "Labels": given}, {"State": "running", "Labels": None}]
    assert list(host.find("gguf")) == ["merge"]


def test_without_the_image_that_reads_it_is_said_that_nothing_was_read(host: Host) -> None:
    host.has_image = False
    host.damage("merge")
    assert host.find("gguf") == {}
    (told,) = host.words
    assert READER in told
    assert host.folder("merge").exists()
