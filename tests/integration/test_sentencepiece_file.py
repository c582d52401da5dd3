"""A base with a `tokenizer.json` alone is converted as one with sentencepiece's own file (E3).

The converter of llama.cpp would take all its pieces for equally likely, and the served model would
read other tokens than it was trained on.
"""

import json
from pathlib import Path

import pytest

from plan.image import ImagesPlan
from planning.chat_shapes import EVERYWHERE
from planning.family_model import render_family
from stack_configs.settings.base_model import GeneratedModelSettings
from stack_configs.settings.model_families import Family
from tests.integration.conftest import Engine
from tests.integration.test_chat_templates import PROJECT, run

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

TEXTS = [str(message["content"]) for shape in EVERYWHERE for message in shape.messages]
PROGRAMS = ("complete_tokenizer.py", "family_model.py", "sentencepiece_file.py")


@pytest.mark.parametrize("family", ["llama-2", "mistral"])
@pytest.mark.capability("E3")
def test_the_file_that_is_made_reads_texts_alike(
    engine: Engine, images: ImagesPlan, family: Family
) -> None:
    files = {name: (PROJECT / "in_container" / name).read_bytes() for name in PROGRAMS}
    files["same.py"] = Path(__file__).with_name("same_vocabulary.py").read_bytes()
    files["parameters.json"] = render_family(GeneratedModelSettings(), family).encode()
    files["texts.json"] = json.dumps(TEXTS).encode()
    script = "PYTHONPATH=/opt/llama.cpp/gguf-py python same.py parameters.json texts.json"
    said, container = run(engine, images.converter.reference, script, files)
    container.remove()
    published, made = json.loads(said.splitlines()[-1])
    assert made == published
    assert len(TEXTS) > 20
