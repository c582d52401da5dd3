"""Every symptom is found in a real log of it, and names settings that there are (F5, F6, T5)."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.progress.diagnosis import diagnose
from runtime.progress.symptoms.symptom import Symptom
from runtime.progress.symptoms.table import SYMPTOMS
from stack_configs.settings.run_spelling import OWNED_ARGUMENTS
from tests.runtime.progress.real_logs import EXPECTED, LOGS

SCHEMA = json.loads((Path(__file__).parents[3] / "stack_configs/schema.json").read_text())
KEY = re.compile(r"(?:(?<=[\s(])|^)((?:[a-z_]+(?:\[\])?)?(?:\.[a-z_]+(?:\[\])?)+)")
ARGUMENT = re.compile(r"\{(\w+): ")

HEALTHY = """\
[INFO|2025-11-24 08:22:19] llamafactory.model.loader:144 >> trainable params: 3,584
[WARNING|trainer_utils.py:1238] 2025-11-24 08:22:20,004 >> The tokenizer has new PAD/BOS/EOS tokens
[INFO|trainer.py:1467] 2025-11-24 08:22:20,348 >> ***** Running training *****
[INFO|trainer.py:1468] 2025-11-24 08:22:20,348 >>   Num examples = 40
{'loss': '5.824', 'grad_norm': '2.01', 'learning_rate': '5e-05', 'epoch': '0.2'}
100%|##########| 1/1 [00:00<00:00,  9.07it/s]
[INFO|hub.py:364] 2025-11-24 08:22:20,472 >> Offline mode: forcing local_files_only=True

Training completed. Do not forget to share your model on huggingface.co/models =)

***** train metrics *****
  train_loss               =      5.824
  train_runtime            = 0:00:00.12
"""


def keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every key of the settings below a part of their schema."""
    if "$ref" in schema:
        yield from keys(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], prefix)
    for choice in schema.get("anyOf", ()):
        yield from keys(choice, prefix)
    if "items" in schema:
        yield from keys(schema["items"], f"{prefix}[]")
    for name, held in schema.get("properties", {}).items():
        path = f"{prefix}.{name}".lstrip(".")
        yield from (path, path + "[]") if held.get("type") == "array" else (path,)
        yield from keys(held, path)


KEYS = frozenset(keys(SCHEMA))
ROOTS = frozenset(key.partition(".")[0] for key in KEYS) | {"training_runs[]"}


def named_keys(text: str) -> Iterator[str]:
    """The settings that a way out names, in full."""
    section = ""
    for word in KEY.findall(text):
        if word.startswith("."):
            yield f"{section}{word}"
        elif word.partition(".")[0] in ROOTS:
            key = f"models[].{word}" if word.startswith("training_runs") else word
            section = key.rpartition(".")[0]
            yield key


def found_in(log: str, failed: str = "training-run") -> str:
    return str(diagnose(log, failed=failed, exit_code=1, out_of_memory=False))


def test_every_log_is_explained_by_a_cause_and_a_key():
    assert EXPECTED.keys() == LOGS.keys()


@pytest.mark.parametrize("name", LOGS)
def test_a_real_log_names_cause_and_way_out(name: str):
    failed, cause, key = EXPECTED[name]
    found = diagnose(LOGS[name], failed=failed, exit_code=1, out_of_memory=False)
    assert cause in found.cause.split("\n")[0], found
    assert key in found.way_out, found
    evidence = found.cause.split("    | ")[1]
    assert evidence in LOGS[name]


def test_every_symptom_has_a_real_log():
    causes = {
        diagnose(LOGS[name], failed=failed, exit_code=1, out_of_memory=False).cause.split(":\n")[0]
        for name, (failed, _, _) in EXPECTED.items()
    }
    assert causes == {symptom.cause for symptom in SYMPTOMS}
    assert len(causes) == len(SYMPTOMS) >= 32


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.cause[:40])
def test_a_way_out_names_settings_that_there_are(symptom: Symptom):
    for text in (symptom.way_out, *symptom.ways_out.values()):
        for key in named_keys(text):
            assert key in KEYS, text
        assert not OWNED_ARGUMENTS & set(ARGUMENT.findall(text)), text


def test_the_keys_of_a_way_out_are_read_in_full():
    text = "Lower training_runs[].cutoff_len and .precision, not tokenizer.json or ~/.docker.cfg"
    assert list(named_keys(text)) == [
        "models[].training_runs[].cutoff_len",
        "models[].training_runs[].precision",
    ]


@pytest.mark.parametrize("failed", ["api", "board", "ollama_server", "merge", "ollama-model"])
def test_who_does_not_train_is_not_told_to_train_in_another_way(failed: str):
    assert "training_runs" not in found_in(LOGS["cuda-out-of-memory"], failed)


class TestWhichOneExplains:
    def test_a_healthy_log_has_no_symptom(self):
        assert found_in(HEALTHY).startswith("its last words")

    def test_what_was_overcome_explains_nothing(self):
        log = LOGS["too-many-requests"] + HEALTHY + "ValueError: something else\n"
        assert found_in(log).startswith("its last words")
        assert "GPU ran out of memory" in found_in(
            LOGS["too-many-requests"] + HEALTHY + LOGS["cuda-out-of-memory-old"]
        )

    def test_of_two_the_last_one_explains(self):
        first, second = LOGS["undefined-dataset"], LOGS["unknown-template"]
        assert "chat template" in found_in(first + second)
        assert "not registered" in found_in(second + first)

    @pytest.mark.parametrize("consequence", ["nccl-timeout", "nccl-connection-lost"])
    def test_what_follows_from_a_failure_does_not_hide_it(self, consequence: str):
        failure = LOGS["cuda-out-of-memory"].split("E1124")[0]
        assert "GPU ran out of memory" in found_in(failure + LOGS[consequence])

    def test_a_killed_process_is_told_by_the_launcher_and_explains_lost_connections(self):
        assert "was killed" in found_in(LOGS["nccl-connection-lost"] + LOGS["rank-killed"])

    def test_a_process_that_goes_on_does_not_hide_the_one_that_failed(self):
        line = "[INFO|trainer.py:1467] 2025-11-24 08:22:20,348 >> ***** Running training *****\n"
        assert "GPU ran out of memory" in found_in(LOGS["cuda-out-of-memory-old"] + line)

    def test_a_full_shared_memory_is_no_full_disk(self):
        line = "RuntimeError: unable to write to file </torch_93_1>: No space left on device (28)"
        assert "shared memory" in found_in(line)

    def test_a_refused_certificate_is_no_network_that_is_down(self):
        assert "cannot be reached" in found_in(LOGS["certificate"].splitlines()[-1])
        assert "certificate" in found_in(LOGS["certificate"])
