"""One fault of the table, and a judge that calls broken what is broken. Takes a minute.

`tests/faults/test_every_fault.py` tries all of them, at night.
"""

from collections.abc import Iterator

import httpx
import pytest

from faults.judge import artefacts, judge
from faults.table import FAULTS
from faults.trial import SERVED, image_of, small_stack, try_fault
from plan import paths
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(600)]

FAULT = "container-merge-naming"
CUT = "for file in {runs}/*/model.gguf; do truncate -s -1 $file; exit; done"


@pytest.fixture(scope="module")
def converged(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("faults") / "home")
    small_stack(stack)
    try:
        made = stack.up()
        assert made.returncode == 0, made.output
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


def complaints(engine: Engine, stack: Stack, change: str = "") -> list[str]:
    """What the judge says of the stack once its output volume was changed behind its back."""
    image = image_of(stack)
    whole = artefacts(engine.client, stack, image)
    if change:
        engine.client.containers.run(
            image,
            ["sh", "-c", change],
            volumes={f"{stack.physical_name}-output": {"bind": str(paths.OUTPUT)}},
            network_mode="none",
            remove=True,
        )
    after = artefacts(engine.client, stack, image)
    return list(judge(stack, SERVED, whole=whole, after=after))


def test_a_container_killed_as_it_names_its_artefact_is_healed(converged: Stack, engine: Engine):
    (fault,) = (fault for fault in FAULTS if fault.name == FAULT)
    verdict = try_fault(engine.client, converged, fault, 1)
    assert (verdict.missed, verdict.complaints) == ("", ())
    assert "merge stack-guide resumes" in verdict.healing
    assert verdict.answered


def test_a_served_model_that_was_removed_is_told(converged: Stack, engine: Engine):
    url = converged.outputs()["ollama_url"]
    gone = httpx.request("DELETE", f"{url}/api/delete", json={"model": SERVED}, timeout=30)
    gone.raise_for_status()
    (said,) = complaints(engine, converged)
    assert said.startswith("a second up had something to do: {'update': 1")


def test_a_half_written_file_beside_a_whole_marker_is_told(converged: Stack, engine: Engine):
    said = complaints(engine, converged, CUT.format(runs=paths.RUNS))
    assert any("says that it is whole, and is not" in each for each in said), said
