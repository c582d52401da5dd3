"""One fault of the table, and a judge that calls broken what is broken. Takes a minute.

`tests/faults/test_every_fault.py` tries all of them, at night.
"""

import time
from collections.abc import Iterator

import httpx
import pytest

from faults.judge import artefacts, judge
from faults.moment import HELD, hold_naming
from faults.output_volume import run_in_output
from faults.table import FAULTS, Phase
from faults.trial import SERVED, image_of, small_stack, try_fault
from plan import paths
from plan.paths import ollama_manifest
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(600),
]

FAULT = "cli-ollama-model-taking"
NAMING = """
mkdir -p /work/made.partial; cd /work; sleep 2
if test -e made; then rm -rf made.partial; else mv -T made.partial made; fi
"""
"""As every step's container ends."""

NAMES = ("/work/made.partial", "/work/made")
CUT = "for file in {runs}/*/model.gguf; do truncate -s -1 $file; exit; done"


@pytest.fixture(scope="module")
def converged(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("faults") / "home")
    small_stack(stack)
    with engine.converged(stack):
        yield stack


def complaints(engine: Engine, stack: Stack, change: str = "") -> list[str]:
    """What the judge says of the stack once its output volume was changed behind its back."""
    image = image_of(stack)
    whole = artefacts(engine.client, stack, image)
    if change:
        run_in_output(engine.client, stack, image, ["sh", "-c", change], mode="rw")
    after = artefacts(engine.client, stack, image)
    return list(judge(stack, SERVED, whole=whole, after=after))


def test_what_breaks_as_a_model_takes_its_name_is_healed(converged: Stack, engine: Engine):
    (fault,) = (fault for fault in FAULTS if fault.name == FAULT)
    verdict = try_fault(engine.client, converged, fault, 1)
    assert (verdict.missed, verdict.complaints) == ("", ())
    assert verdict.answered


@pytest.mark.parametrize(("phase", "there"), [(Phase.NAMING, NAMES[0]), (Phase.NAMED, NAMES[1])])
def test_a_container_is_held_as_it_names_its_artefact(
    converged: Stack, engine: Engine, phase: Phase, there: str
):
    image = image_of(converged)
    step = engine.client.containers.run(image, ["sh", "-ec", NAMING], init=True, detach=True)
    holder = hold_naming(engine.client, image, step, phase)
    try:
        deadline = time.monotonic() + 60
        while HELD not in holder.logs():
            assert time.monotonic() < deadline, holder.logs()
            time.sleep(0.1)
        found = {name for name in NAMES if step.exec_run(["test", "-e", name]).exit_code == 0}
        assert found == {there}
        holder.remove(force=True)
        assert step.wait(timeout=30)["StatusCode"] == 0
    finally:
        step.remove(force=True)


def test_a_model_takes_its_name_in_one_motion(converged: Stack, engine: Engine):
    def inode() -> bytes:
        server = engine.containers(converged)[f"{converged.physical_name}-ollama-server"]
        return bytes(server.exec_run(["stat", "-c", "%i", str(ollama_manifest(SERVED))]).output)

    before = inode()
    converged.model["ollama_model"]["parameters"]["temperature"] = 0.5
    update = converged.up()
    assert update.returncode == 0, update.output
    assert inode() != before, "a file that is written in place is empty for a moment"


def test_a_served_model_that_was_removed_is_told(converged: Stack, engine: Engine):
    url = converged.outputs()["ollama_url"]
    gone = httpx.request("DELETE", f"{url}/api/delete", json={"model": SERVED}, timeout=30)
    gone.raise_for_status()
    (said,) = complaints(engine, converged)
    assert said.startswith("a second up had something to do: {'update': 1")


def test_a_half_written_file_beside_a_whole_marker_is_told(converged: Stack, engine: Engine):
    said = complaints(engine, converged, CUT.format(runs=paths.RUNS))
    assert any("says that it is whole, and is not" in each for each in said), said
