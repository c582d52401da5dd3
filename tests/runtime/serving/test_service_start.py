"""A service that must answer: waited for, started again, and explained when it ends."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from docker.errors import APIError

from plan import paths
from plan.preload import preloading
from plan.step import ServiceStartStep
from tests.runtime.conftest import IMAGE, Bench, Heard, Outcome

pytestmark = pytest.mark.engine
SOON_SECONDS = 15
"""Well within its deadline."""

ANSWERS = "touch /tmp/answers; exec sleep 600"


def make(bench: Bench, script: str | tuple[str, ...], **given: Any) -> ServiceStartStep:
    """A service that runs a shell script, or a command, created as the provider does.

    It answers once it has made the file /tmp/answers.
    """
    container = bench.client.containers.create(
        IMAGE,
        ["sh", "-ec", script] if isinstance(script, str) else list(script),
        name=f"{bench.stack}-api",
        network_mode="none",
        restart_policy={"Name": "unless-stopped"},
        stop_signal="SIGKILL",
        labels=bench.owner.labels,
        **given,
    )
    container.start()
    return ServiceStartStep(
        name=f"{bench.stack}-api",
        title="start the API",
        probe=("test", "-e", "/tmp/answers"),
        deadline_seconds=30,
        settings="api",
        secret_environment=("API_KEY",),
    )


def has_restarted(bench: Bench) -> bool:
    return bool(bench.container("api").attrs["RestartCount"])


def has_answered(bench: Bench) -> bool:
    try:
        answered: int = bench.container("api").exec_run(["ls", "/tmp/answers"]).exit_code
    except APIError:
        # Between its end and its next start, nothing can be run in it.
        return False
    return answered == 0


def converge(bench: Bench, step: ServiceStartStep) -> Outcome:
    return bench.run("service-start", "converge", step)


def test_one_that_answers_late_is_waited_for(bench: Bench):
    step = make(bench, f"while [ ! -e /tmp/go ]; do sleep 0.1; done; {ANSWERS}")
    heard = Heard(bench.start("service-start", "converge", step))
    time.sleep(1)
    assert heard.process.poll() is None
    bench.container("api").exec_run(["touch", "/tmp/go"])
    assert heard.end() == 0, heard.words


def test_one_that_ends_at_its_start_is_told_at_once_with_its_last_words(bench: Bench):
    step = make(bench, "echo 'torch.OutOfMemoryError: CUDA out of memory'; exit 3")
    began = time.monotonic()
    outcome = converge(bench, step)
    assert time.monotonic() - began < SOON_SECONDS
    assert (outcome.code, outcome.output) == (1, "")
    # The engine may have started it again before the look.
    how = r"(\(exit code 3\)|again and again)"
    assert re.search(f"container {step.name} ended {how}: the GPU ran out of memory", outcome.words)
    assert "api.model" in outcome.words
    assert "training_runs" not in outcome.words
    assert "configured in api" in outcome.words
    assert f"docker logs {step.name}" in outcome.words


@pytest.mark.capability("F5")
def test_an_exhausted_static_tls_block_is_answered_by_preloading(bench: Bench):
    script = (
        '[ -n "$LD_PRELOAD" ] || { echo "libgomp: cannot allocate memory in static TLS block"; '
        f"exit 1; }}; {ANSWERS}"
    )
    command = preloading(
        ("sh", "-ec", script), "/lib/*-linux-gnu/libm.so.6", where=str(paths.PRELOAD)
    )
    volume = {bench.make_volume(): {"bind": str(paths.OUTPUT), "mode": "rw"}}
    confined = {"read_only": True, "tmpfs": {"/tmp": ""}, "cap_drop": ["ALL"]}
    step = replace(make(bench, command, volumes=volume, **confined), preloads=True)
    outcome = converge(bench, step)
    assert outcome.code == 0, outcome.words
    assert "once more with libgomp preloaded" in outcome.words
    assert bench.shell(f"ls {paths.PRELOAD}").strip() == str(paths.PRELOAD)


def test_what_preloading_does_not_help_is_told(bench: Bench):
    script = 'echo "libgomp: cannot allocate memory in static TLS block"; exit 1'
    volume = {bench.make_volume(): {"bind": str(paths.OUTPUT), "mode": "rw"}}
    step = replace(make(bench, script, volumes=volume), preloads=True)
    outcome = converge(bench, step)
    assert outcome.code == 1
    assert outcome.words.count("preloaded") == 1
    assert "static TLS block" in outcome.words


def test_one_that_ends_well_has_ended_all_the_same(bench: Bench):
    outcome = converge(bench, make(bench, "echo nothing to do"))
    assert outcome.code == 1
    assert "| nothing to do" in outcome.words


def test_one_that_never_answers_is_given_up_with_its_last_words(bench: Bench):
    step = make(bench, "echo loading; exec sleep 600")
    outcome = converge(bench, replace(step, deadline_seconds=1))
    assert outcome.code == 1
    assert "runs and does not answer after 0:00:01" in outcome.words
    assert "| loading" in outcome.words


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_one_that_was_stopped_by_hand_is_started_again(bench: Bench, how: str):
    step = make(bench, ANSWERS)
    assert converge(bench, step).code == 0
    getattr(bench.container("api"), how)()
    assert bench.container("api").status == "exited"
    outcome = converge(bench, step)
    assert outcome.code == 0, outcome.words
    assert "it was stopped; starting it" in outcome.words
    assert bench.is_running("api")


def test_one_that_crashed_once_and_answers_is_well(bench: Bench):
    step = make(bench, f"[ -e /tmp/once ] || {{ touch /tmp/once; exit 1; }}; {ANSWERS}")
    bench.wait(lambda: bench.is_running("api") and has_restarted(bench))
    bench.wait(lambda: has_answered(bench))
    assert converge(bench, step).code == 0


def test_one_that_is_gone_is_for_a_refresh_to_find(bench: Bench):
    step = make(bench, ANSWERS)
    bench.container("api").remove(force=True)
    outcome = converge(bench, step)
    assert outcome.code == 1
    assert f"{step.name} is gone. Run `pulumi up --refresh`" in outcome.words


@pytest.mark.parametrize("then", ["exit 3", "exec sleep 600"])
def test_a_secret_in_its_log_is_not_repeated(bench: Bench, then: str):
    given = {"API_KEY": "hush-hush", "OTHER": "plain"}
    step = make(bench, f'echo "key $API_KEY, $OTHER"; {then}', environment=given)
    outcome = converge(bench, replace(step, deadline_seconds=2))
    assert outcome.code == 1
    assert "key ***, plain" in outcome.words
    assert "hush-hush" not in outcome.words


def test_deleting_it_leaves_the_providers_container(bench: Bench):
    step = make(bench, ANSWERS)
    assert bench.run("service-start", "delete", step).result == {}
    assert bench.is_running("api")
