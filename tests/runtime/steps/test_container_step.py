"""Steps in containers, on the real engine: made once, attached to, resumed, explained (T2, F5)."""

import json
import signal
import time

import pytest

from planning.step import then_complete
from tests.runtime.conftest import IMAGE, TEST_LABEL, Bench, end

pytestmark = pytest.mark.engine

FINISH = "mv $partial $artefact"
COUNT = (
    "echo x >> $partial/starts; n=$(cat $partial/checkpoint 2>/dev/null || echo 0); "
    "while [ $n -lt TOTAL ]; do n=$((n+1)); "
    'echo "{\\"current_steps\\": $n, \\"total_steps\\": TOTAL, \\"loss\\": 1.5, '
    '\\"remaining_time\\": \\"0:00:41\\"}" >> $partial/trainer_log.jsonl; '
    # Renamed as a trainer's are: a kill leaves the last one whole.
    "echo $n > $partial/new; mv $partial/new $partial/checkpoint; sleep 0.1; done; "
    "echo '{\"train_loss\": 0.5}' > $partial/all_results.json; " + FINISH
)


def count(total: int) -> str:
    return COUNT.replace("TOTAL", str(total))


def starts(bench: Bench, identity: str = "f1") -> int:
    return len(bench.shell(f"cat /app/output/runs/{identity}*/starts").split())


class TestConverge:
    def test_it_runs_to_completion_and_tells_how_far_it_is(self, bench: Bench):
        outcome = bench.converge(bench.step(count(15)))
        assert outcome.code == 0, outcome.words
        assert outcome.result == {
            "identity": "f1",
            "artefact": "/app/output/runs/f1",
            "results": {"train_loss": 0.5},
        }
        assert "/15 (" in outcome.words
        assert "loss 1.5, 0:00:41 left" in outcome.words
        assert bench.containers() == []
        marker = json.loads(bench.shell("cat /app/output/runs/f1/complete.json"))
        # Fifteen steps of a tenth of a second, and the start of each `sleep`.
        assert 1 < marker.pop("seconds") < 60
        assert marker == {
            "identity": "f1",
            "step": f"{bench.stack}-sft",
            "stack": bench.stack,
            "token": "t1",
            "has_sums": True,
        }

    def test_one_that_nobody_could_listen_to_tells_where_it_came_to(self, bench: Bench):
        line = '{"current_steps": 3, "total_steps": 3, "eval_loss": 0.25}'
        outcome = bench.converge(
            bench.step(f"echo '{line}' > $partial/trainer_log.jsonl; {FINISH}")
        )
        assert ": step 3/3 (100%), eval loss 0.25" in outcome.words.splitlines()[-1]

    def test_a_second_run_starts_nothing_and_says_the_same(self, bench: Bench):
        step = bench.step(count(1))
        first = bench.converge(step)
        moment = time.time()
        second = bench.converge(step, token="t2")
        assert second.output == first.output
        assert bench.starts_since(moment) == []
        assert bench.containers() == []
        marker = json.loads(bench.shell("cat /app/output/runs/f1/complete.json"))
        assert marker["token"] == "t2"
        assert marker["seconds"] > 0, "how long the first run took"

    def test_a_training_leaves_a_record_of_what_it_took(self, bench: Bench):
        told = "echo '{\"global_step\": 3}' > $partial/trainer_state.json; "
        step = bench.step(
            told + count(3), files={"train.yaml": "stage: sft\n"}, foretold_tokens=96.0
        )
        began = time.time()
        assert bench.converge(step).code == 0
        record = json.loads(bench.shell("cat /app/output/training-records/f1.json"))
        assert 0 < record.pop("seconds") < 60
        assert began < record.pop("finished_at") < time.time()
        assert record.pop("accelerator")["gpus"] is None
        assert record == {
            "identity": "f1",
            "step": f"{bench.stack}-sft",
            "arguments": "stage: sft\n",
            "steps": 3,
            "tokens": 96.0,
            "results": {"train_loss": 0.5},
        }

    def test_one_that_was_resumed_leaves_none(self, bench: Bench):
        told = "echo '{\"global_step\": 3}' > $partial/trainer_state.json; "
        step = bench.step(told + count(3), files={"train.yaml": "stage: sft\n"})
        bench.shell(
            "mkdir -p /app/output/runs/f1.partial; echo 1 > /app/output/runs/f1.partial/checkpoint"
        )
        assert bench.converge(step).code == 0
        assert bench.shell("ls /app/output").split() == ["runs"]

    def test_an_artefact_that_another_run_made_gets_a_marker(self, bench: Bench):
        bench.shell("mkdir -p /app/output/runs/f1; echo kept > /app/output/runs/f1/work")
        step = bench.step("exit 9", results=None)
        assert bench.converge(step).result["results"] == {}
        marker = json.loads(bench.shell("cat /app/output/runs/f1/complete.json"))
        assert (marker["identity"], marker["token"]) == ("f1", "t1")
        assert bench.shell("cat /app/output/runs/f1/work") == "kept\n"

    def test_its_files_are_there_before_it_starts(self, bench: Bench):
        program = "runtime/failure.py"
        step = bench.step(
            "grep -q learning_rate $partial/deep/train.yaml; test -s $partial/program.py; "
            + FINISH,
            files={"deep/train.yaml": "learning_rate: 0.1 # été\n"},
            uploads={"program.py": program},
        )
        assert bench.converge(step).code == 0
        assert bench.shell("cat /app/output/runs/f1/deep/train.yaml").endswith("été\n")

    def test_a_container_of_that_name_that_is_not_the_steps_is_left_alone(self, bench: Bench):
        bench.client.containers.create(
            IMAGE, "true", name=f"{bench.stack}-sft", labels={TEST_LABEL: bench.stack}
        )
        outcome = bench.converge(bench.step(FINISH))
        assert outcome.code == 1
        assert "does not belong to this step" in outcome.words
        assert bench.container() is not None

    def test_a_missing_image_is_explained(self, bench: Bench):
        step = bench.step(FINISH, container={"image": "finetune-stack/nowhere:none"})
        outcome = bench.converge(step)
        assert outcome.code == 1
        assert "finetune-stack/nowhere:none" in outcome.words
        assert "pulumi up --refresh" in outcome.words

    def test_a_volume_that_is_gone_is_told_and_not_made(self, bench: Bench):
        step = bench.step(FINISH)
        bench.client.volumes.get(bench.volume).remove()
        outcome = bench.converge(step)
        assert outcome.code == 1
        assert f"volume {bench.volume} is gone" in outcome.words
        assert bench.client.volumes.list(filters={"name": bench.volume}) == []
        assert bench.containers() == []

    @pytest.mark.parametrize("looked_too_early", ["", "test() { return 1; }"])
    def test_an_artefact_that_appeared_meanwhile_is_not_nested_into(
        self, bench: Bench, looked_too_early: str
    ):
        others = "mkdir /app/output/runs/f1; echo theirs > /app/output/runs/f1/work"
        command = then_complete("f1", others, looked_too_early or "true")
        step = bench.step("", container={"command": command}, results=None)
        assert bench.converge(step).code == 0
        assert bench.shell("ls /app/output/runs/f1; cat /app/output/runs/f1/work").split() == [
            "work",
            "theirs",
        ]
        assert bench.converge(step).code == 0
        assert json.loads(bench.shell("cat /app/output/runs/f1/complete.json"))["token"] == "t1"


class TestInterruptions:
    def test_a_killed_container_resumes_from_its_checkpoint(self, bench: Bench):
        step = bench.step(count(12))
        process = bench.start("training-run", "converge", step)
        bench.wait(bench.is_running)
        time.sleep(0.4)
        bench.container().kill()
        killed = end(process)
        assert killed.code == 1
        assert "was killed" in killed.words
        outcome = bench.converge(step)
        assert outcome.code == 0, outcome.words
        assert "resumes" in outcome.words
        assert starts(bench) == 2
        logged = bench.shell("cat /app/output/runs/f1/trainer_log.jsonl").splitlines()
        assert len(logged) in (12, 13), "steps before the checkpoint were made again"

    @pytest.mark.parametrize(
        ("number", "code"),
        [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)],
    )
    def test_it_outlives_its_caller_and_the_next_one_attaches(
        self, bench: Bench, number: signal.Signals, code: int
    ):
        step = bench.step(count(12))
        process = bench.start("training-run", "converge", step)
        bench.wait(bench.is_running)
        time.sleep(0.3)
        process.send_signal(number)
        left = end(process)
        assert left.code == code
        if number != signal.SIGKILL:
            assert "still running" in left.words
            assert "the next `pulumi up` attaches" in left.words
        assert bench.is_running()
        outcome = bench.converge(step)
        assert outcome.code == 0, outcome.words
        assert "attached" in outcome.words
        assert starts(bench) == 1
        assert bench.containers() == []

    def test_work_that_ended_with_nobody_watching_is_found(self, bench: Bench):
        step = bench.step(count(3))
        bench.leave_at_work(step)
        bench.wait(lambda: not bench.is_running())
        moment = time.time()
        outcome = bench.converge(step)
        assert outcome.result["results"] == {"train_loss": 0.5}
        assert bench.starts_since(moment) == []
        assert bench.containers() == []

    def test_new_settings_supersede_what_is_at_work(self, bench: Bench):
        step = bench.step(count(600))
        bench.leave_at_work(step)
        outcome = bench.converge(bench.step(count(1), identity="f2"))
        assert outcome.code == 0, outcome.words
        assert "superseded" in outcome.words
        assert int(bench.shell("cat /app/output/runs/f1.partial/checkpoint")) > 0
        assert bench.containers() == []

    def test_two_callers_of_the_same_work_both_get_its_result(self, bench: Bench):
        step = bench.step(count(12))
        first = bench.start("training-run", "converge", step)
        bench.wait(bench.is_running)
        second = bench.start("training-run", "converge", step)
        results = [end(process) for process in (first, second)]
        assert [outcome.code for outcome in results] == [0, 0], results
        assert results[0].output == results[1].output
        assert starts(bench) == 1

    def test_a_container_that_somebody_removed_is_not_the_end_of_its_work(self, bench: Bench):
        step = bench.step(f"{FINISH}; sleep 600")
        process = bench.start("training-run", "converge", step)
        bench.wait(bench.is_running)
        time.sleep(0.5)
        moment = time.time()
        bench.container().remove(force=True)
        outcome = end(process)
        assert outcome.code == 0, outcome.words
        assert bench.starts_since(moment) == []

    def test_delete_removes_its_containers_and_no_artefact(self, bench: Bench):
        step = bench.step(count(600))
        bench.leave_at_work(step)
        assert bench.run("training-run", "delete", step).result == {"removed": 1}
        assert bench.run("training-run", "delete", step).result == {"removed": 0}
        assert "f1.partial" in bench.shell("ls /app/output/runs")


class TestFailure:
    def test_a_known_failure_names_the_settings_and_the_container_is_kept(self, bench: Bench):
        script = "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB' >&2; exit 1"
        outcome = bench.converge(bench.step(script))
        assert (outcome.code, outcome.output) == (1, "")
        assert "per_device_train_batch_size" in outcome.words
        assert f"docker logs {bench.stack}-sft" in outcome.words
        assert bench.container().status == "exited"
        assert "f1.partial" in bench.shell("ls /app/output/runs")

    def test_an_unknown_failure_shows_its_last_words(self, bench: Bench):
        outcome = bench.converge(bench.step("seq 100; echo something odd; exit 7"))
        assert "exit code 7" in outcome.words
        assert "| something odd" in outcome.words
        assert "| 10\n" not in outcome.words

    def test_a_failed_step_starts_again_in_a_container_of_its_own(self, bench: Bench):
        bench.converge(bench.step("exit 1"))
        assert bench.converge(bench.step(FINISH)).code == 0
        assert bench.containers() == []

    def test_a_container_that_leaves_nothing_has_failed(self, bench: Bench):
        outcome = bench.converge(bench.step("true"))
        assert outcome.code == 1
        assert "left nothing at /app/output/runs/f1" in outcome.words

    def test_the_deadline_stops_it_and_names_its_setting(self, bench: Bench):
        outcome = bench.converge(
            bench.step(
                count(600), deadline_seconds=1, deadline_setting="training_runs[0].deadline_hours"
            )
        )
        assert outcome.code == 1
        assert "training_runs[0].deadline_hours" in outcome.words
        assert bench.container().status == "exited"

    def test_secrets_reach_the_container_and_no_line(self, bench: Bench):
        script = '[ "$HF_TOKEN" = hush-hush ]; echo "my token is $HF_TOKEN"; exit 3'
        step = bench.step(script, secret_environment=("HF_TOKEN", "NOT_SET"))
        outcome = bench.converge(step, HF_TOKEN="hush-hush")
        assert "my token is ***" in outcome.words
        assert "hush-hush" not in outcome.words + outcome.output

    @pytest.mark.capability("F5")
    def test_an_exhausted_static_tls_block_is_answered_by_preloading(self, bench: Bench):
        script = (
            '[ -n "$LD_PRELOAD" ] || { echo "libgomp: cannot allocate memory in static TLS block"; '
            f"exit 1; }}; {FINISH}"
        )
        step = bench.step(script, preload="/lib/*-linux-gnu/libm.so.6")
        outcome = bench.converge(step)
        assert outcome.code == 0, outcome.words
        assert "preloaded" in outcome.words
        assert bench.containers() == []
