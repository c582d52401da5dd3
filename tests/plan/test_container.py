"""What a container may do, from what it is: never more than its files and devices ask for (R4)."""

import pytest

from plan.container import Accelerator, Container, Mount

VOLUME, FOLDER = Mount(source="out", target="/out"), Mount(source="/srv/out", target="/out")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, ()),
        ({"mounts": (VOLUME,)}, ()),
        ({"accelerator": Accelerator(gpus="all")}, ()),
        # Files and device nodes of users that the container does not know.
        ({"mounts": (VOLUME, FOLDER)}, ("CAP_DAC_OVERRIDE",)),
        ({"accelerator": Accelerator(devices=("/dev/kfd",))}, ("CAP_DAC_OVERRIDE",)),
    ],
)
def test_what_is_kept_of_roots_powers(given, kept):
    assert Container(image="x", **given).capabilities == kept


def test_no_process_gains_privileges_whatever_the_accelerator_asks_for():
    accelerator = Accelerator(security_opts=("seccomp=unconfined",))
    opts = Container(image="x", accelerator=accelerator).security_opts
    assert opts == ("no-new-privileges:true", "seccomp=unconfined")


def test_scratch_space_is_there_where_the_root_is_read_only():
    assert Container(image="x").tmpfs == {}
    scratch = Container(image="x", read_only_root=True).tmpfs
    assert {"/tmp", "/root/.cache", "/root/.triton"} <= scratch.keys()
    assert set(scratch.values()) == {"exec"}, "what is compiled there is loaded from there"
