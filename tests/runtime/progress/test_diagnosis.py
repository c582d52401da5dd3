"""From a log to the settings to change (F5, F6, F8, T5)."""

import pytest

from runtime.progress.diagnosis import diagnose, ran_out_of_static_tls


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to", "per_device_train_batch_size"),
        ("torch.OutOfMemoryError: HIP out of memory.", "quantization_bit: 4"),
        ("RuntimeError: NPU out of memory. Tried to allocate", "gradient_checkpointing"),
        ("Unexpected bus error encountered in worker.", "host.shm_size_gb"),
        ("It is possible that dataloader's workers ran: insufficient shared memory", "shm_size_gb"),
        ("OSError: [Errno 28] No space left on device", "data root"),
        ("GatedRepoError: 401 Client Error. Access to model is restricted", "hub_token"),
        ("huggingface_hub.errors.RepositoryNotFoundError: 404", "base_model.hub"),
        ("OSError: We couldn't connect to 'https://hub' to load", "base_model.path"),
        ("Temporary failure in name resolution", "DNS servers"),
        ("libgomp.so: cannot allocate memory in static TLS block", "scikit-learn"),
    ],
)
def test_a_known_line_names_the_way_out_and_is_shown(line: str, named: str):
    found = str(
        diagnose(f"before\n{line}\nafter", failed="training-run", exit_code=1, out_of_memory=False)
    )
    assert named in found
    assert f"| {line}" in found
    assert "before" not in found


def test_what_the_kernel_says_counts_more_than_any_log():
    found = diagnose("CUDA out of memory", failed="training-run", exit_code=137, out_of_memory=True)
    assert "memory ran out: the host's, or host.limits.memory_gb" in found.cause


def test_a_killed_step_is_not_searched_for_a_reason_in_vain():
    found = diagnose("step 12\n", failed="training-run", exit_code=137, out_of_memory=False)
    assert "killed" in found.cause
    assert "checkpoint" in found.way_out


def test_an_unknown_failure_shows_the_last_thirty_lines():
    log = "\n".join(f"line {number}" for number in range(100))
    cause = diagnose(log, failed="training-run", exit_code=1, out_of_memory=False).cause
    assert "line 70" in cause
    assert "line 69" not in cause


def test_the_reason_is_not_hidden_behind_what_torchrun_says_of_it():
    log = (
        "ValueError: the reason\n"
        "E1124 07:54 1 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1)\n"
        + "a summary\n"
        * 50
    )
    cause = diagnose(log, failed="training-run", exit_code=1, out_of_memory=False).cause
    assert "ValueError: the reason" in cause
    assert "summary" not in cause


def test_a_silent_failure_is_told_as_one():
    assert (
        "(nothing)" in diagnose("", failed="training-run", exit_code=1, out_of_memory=False).cause
    )


def test_only_the_static_tls_block_calls_for_preloading():
    assert ran_out_of_static_tls("x: cannot allocate memory in static TLS block")
    assert not ran_out_of_static_tls("cannot allocate memory")
