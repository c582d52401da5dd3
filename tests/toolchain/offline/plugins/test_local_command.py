"""Contract of command.local.Command.

Expectations from pulumi-command 1.2.1, `provider/pkg/provider/local/`, and from
pulumi-go-provider 1.3.0, `infer/resource.go` and `middleware/cancel`.
"""

from __future__ import annotations

import re
import threading
import time

import grpc
import pytest
from google.protobuf import empty_pb2

from tests.toolchain.offline.plugins.plugin_client import Managed, Refused, in_parallel, told
from toolchain.offline.plugins.property_values import UNKNOWN, Secret, to_struct
from toolchain.offline.plugins.wire import provider_pb2


def test_create_brings_both_streams_less_one_line_break(command):
    made = command("step").create(create="printf 'a\\nb\\n\\n'; echo err >&2")
    assert made.state["stdout"] == "a\nb\n"
    assert made.state["stderr"] == "err"
    assert re.fullmatch(r"step[0-9a-f]{8}", made.resource_id)


def test_nothing_to_do_the_second_time(command):
    wanted = {"create": "true", "environment": {"A": Secret("x")}, "stdin": "in"}
    assert command("step").create(**wanted).plan(**wanted).changes == {}


def test_a_changed_input_updates_with_update_or_else_with_create(command):
    made = command("step").create(create="echo created $X", environment={"X": "1"})
    changed = {"create": "echo created $X", "environment": {"X": "2"}}
    assert made.plan(**changed).changes == {"environment.X": "update"}
    assert made.update(**changed)["stdout"] == "created 2"
    changed["update"] = "echo updated $X after $PULUMI_COMMAND_STDOUT"
    assert made.plan(**changed).changes == {"update": "add"}
    assert made.update(**changed)["stdout"] == "updated 2 after created 2"


def test_delete_runs_delete_with_the_previous_output(command, tmp_path):
    out = tmp_path / "deleted"
    made = command("step").create(
        create="echo one; echo two >&2",
        delete=f'echo "$PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR" > {out}',
    )
    made.delete()
    assert out.read_text() == "one two\n"


def test_previous_output_stays_out_when_told_so(command):
    wanted = {"create": "echo ${PULUMI_COMMAND_STDOUT-none}", "addPreviousOutputInEnv": False}
    made = command("step").create(**wanted)
    assert made.update(**wanted, stdin="x")["stdout"] == "none"


def test_without_create_nothing_runs(command):
    made = command("step").create(delete="true")
    assert made.state["stdout"] == made.state["stderr"] == ""


def test_stdin_is_what_the_command_reads(command):
    assert command("step").create(create="cat", stdin="given").state["stdout"] == "given"


def test_stdin_is_empty_when_none_is_given(command):
    assert command("step").create(create="wc -c").state["stdout"].strip() == "0"


def test_a_failure_brings_the_status_and_all_output(command):
    with pytest.raises(grpc.RpcError) as failure:
        command("step").create(create="echo before; echo why >&2; exit 3")
    details = told(failure.value)
    assert details.startswith("exit status 3: running ")
    assert "before" in details
    assert "why" in details
    assert "Traceback" not in details


def test_secret_inputs_stay_secret_and_reach_the_command(command):
    made = command("step").create(
        create="test $TOKEN = hush && echo ok", environment={"TOKEN": Secret("hush")}
    )
    assert made.state["environment"] == {"TOKEN": Secret("hush")}
    # infer's default: only outputs named like a secret input are secret, so stdout is not.
    assert made.state["stdout"] == "ok"


def test_a_secret_does_not_show_in_a_failure_of_its_own_check(command):
    with pytest.raises(Refused) as refusal:
        command("step").check(create=Secret(["hush"]))
    assert "hush" not in str(refusal.value)


def test_logging_is_live_and_by_choice(command, log):
    for choice, expected in {
        "stdout": ["out"],
        "stderr": ["err"],
        "none": [],
        "stdoutAndStderr": ["err", "out"],
        None: ["err", "out"],
    }.items():
        name = f"logs-{choice}"
        given = {"logging": choice} if choice else {}
        command(name).create(create="echo out; echo err >&2", **given)
        assert sorted(log.of(name)) == expected
    slow = threading.Thread(target=lambda: command("slow").create(create="echo now; sleep 1"))
    slow.start()
    while "now" not in log.of("slow"):
        assert slow.is_alive()
        time.sleep(0.01)
    assert slow.is_alive()
    slow.join()


def test_preview_runs_nothing_and_leaves_the_output_open(command, tmp_path):
    wanted = {"create": f"touch {tmp_path}/ran", "environment": {"A": UNKNOWN}}
    foretold = command("step").preview(**wanted)
    assert foretold["stdout"] is foretold["stderr"] is UNKNOWN
    assert foretold["environment"]["A"] is UNKNOWN
    made = command("step").create(create="true")
    assert made.update(preview=True, **wanted)["stdout"] is UNKNOWN
    assert not (tmp_path / "ran").exists()


def test_refresh_gives_back_what_is_known(command):
    made = command("step").create(create="echo x")
    before = dict(made.state)
    assert made.refresh()
    assert made.state == before


def test_commands_run_at_the_same_time(command, tmp_path):
    """Each ends well only when it sees the other: one after the other would fail."""

    def create(role, other):
        look = f"for i in $(seq 300); do test -e {other} && exit; sleep 0.1; done; exit 1"
        return command(role).create(create=f"cd {tmp_path}; touch {role}; {look}")

    in_parallel(lambda: create("one", "two"), lambda: create("two", "one"))


def test_a_timeout_ends_the_command(command):
    slow = command("slow")
    slow.timeout = 0.5
    started = time.monotonic()
    with pytest.raises(grpc.RpcError, match=r"signal: killed|deadline exceeded"):
        slow.create(create="exec sleep 20")
    assert time.monotonic() - started < 5


def test_cancel_kills_the_command_and_not_what_it_left_running(start, tmp_path):
    # middleware/cancel ends the context of every call; exec.CommandContext kills the process.
    plugin = start("command")
    try:
        plugin.configure()
        step = Managed(plugin.stub, "command:local:Command", "step")
        script = f"(sleep 1.5; touch {tmp_path}/survived) & echo started; exec sleep 30"
        future = plugin.stub.Create.future(
            provider_pb2.CreateRequest(urn=step.urn, properties=to_struct({"create": script}))
        )
        time.sleep(0.5)
        plugin.stub.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError, match="signal: killed"):
            future.result(timeout=10)
        time.sleep(1.5)
        assert (tmp_path / "survived").exists()
    finally:
        plugin.close()


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"assetPaths": ["*"]}, "assetPaths is not served.*official command plugin"),
        ({"logging": "loud"}, "logging has to be one of stdout"),
        ({"environment": {"A": 1}}, "environment has to map names to strings"),
        ({"triggers": [1]}, "triggers is not served.*official command plugin"),
        ({"interpreter": ["sh"]}, "interpreter is not served.*official command plugin"),
    ],
)
def test_what_is_not_served_is_refused(inputs, message, command):
    with pytest.raises(Refused, match=message):
        command("step").check(**inputs)


@pytest.mark.stand_in
def test_other_resources_and_functions_are_refused_by_name(command_plugin):
    remote = Managed(command_plugin.stub, "command:remote:Command", "step")
    with pytest.raises(grpc.RpcError, match="command:remote:Command is not served"):
        remote.check(create="true")
    with pytest.raises(grpc.RpcError, match="command:local:run is not served"):
        command_plugin.stub.Invoke(provider_pb2.InvokeRequest(tok="command:local:run"))
