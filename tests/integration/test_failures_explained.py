"""Failures provoked for real in the images: cause and settings are told from their own logs.

Takes about a minute. What cannot be provoked without a GPU or a hub is read from users' logs in
tests/runtime/progress/test_symptoms.py.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plan.image import ImagesPlan
from runtime.docker.archive import tar_stream
from runtime.progress.diagnosis import diagnose
from runtime.progress.progress import clean
from tests.integration.conftest import Engine
from tests.integration.failures import CONVERSIONS, TRAININGS
from tests.integration.stack import PROJECT
from tests.runtime.progress.real_logs import EXPECTED

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

PROGRAMS = {
    "failures.py": Path(__file__).parent / "failures.py",
    "tiny_model.py": PROJECT / "in_container/tiny_model.py",
}
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    # Where the converter is, in the image that has it.
    "PYTHONPATH": "/opt/llama.cpp",
}
LIMITS = {
    # More than this program's shared memory and disk need, and less than the failures do.
    "shm_size": "1m",
    "tmpfs": {"/full": "size=48k"},
}
OLLAMA = """
ollama serve 2> /dev/null &
until ollama list > /dev/null 2>&1; do sleep 0.1; done
cd "$(mktemp -d)"
echo "=== ollama-port"
ollama serve
echo "=== ollama-magic"
head -c 4096 /dev/urandom > random.gguf
echo "FROM ./random.gguf" > Modelfile
ollama create random
echo "=== ollama-architecture"
mkdir newer
echo '{"architectures": ["Llama9ForCausalLM"], "model_type": "llama9"}' > newer/config.json
printf '\\010\\0\\0\\0\\0\\0\\0\\0{}      ' > newer/model.safetensors
echo "FROM ./newer" > Modelfile
ollama create newer
"""


def run(engine: Engine, image: str, command: list[str], **options: Any) -> str:
    """What a container says, cut off from any network."""
    container = engine.client.containers.create(
        image,
        command[1:],
        entrypoint=command[0],
        network_mode="none",
        environment=ENVIRONMENT,
        **options,
    )
    try:
        files = {name: path.read_bytes() for name, path in PROGRAMS.items()}
        container.put_archive("/tmp", b"".join(tar_stream(files)))
        container.start()
        code = container.wait(timeout=600)["StatusCode"]
        assert code == 0, container.logs(tail=30).decode()
        return str(container.logs(stderr=False).decode())
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def logs(engine: Engine, images: ImagesPlan) -> Mapping[str, str]:
    """The log of each failure."""
    program = ["python", "/tmp/failures.py"]
    trainings = run(engine, images.llamafactory.reference, [*program, "trainings"], **LIMITS)
    conversions = run(engine, images.converter.reference, [*program, "conversions"])
    served = run(engine, images.ollama.reference, ["sh", "-c", f"exec 2>&1\n{OLLAMA}\ntrue"])
    found: dict[str, str] = {}
    for output in (trainings, conversions):
        found |= json.loads(output.splitlines()[-1])
    found |= dict(part.split("\n", 1) for part in served.split("=== ")[1:])
    return {name: clean(log) for name, log in found.items()}


@pytest.mark.parametrize(
    "name",
    [*TRAININGS, *CONVERSIONS, "ollama-port", "ollama-magic", "ollama-architecture"],
)
@pytest.mark.capability("F5", "F6")
def test_a_provoked_failure_names_cause_and_way_out(logs: Mapping[str, str], name: str):
    failed, cause, key = EXPECTED.get(
        name, ("training-run", "optional part", "images.llamafactory.extras")
    )
    found = diagnose(logs[name], failed=failed, exit_code=1, out_of_memory=False)
    assert cause in found.cause.split("\n")[0], logs[name][-3000:]
    assert key in found.way_out
