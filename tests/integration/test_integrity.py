"""What was damaged is found before anything is made of it, and made again.

One story on one stack: bytes are flipped and cut off where artefacts and layers lie, and one `up`
heals, while the model goes on answering. Takes half a minute; what is marked `nightly`, some more.
"""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from plan.image import ImagesPlan
from plan.paths import OLLAMA_BLOBS, OLLAMA_STORE, OUTPUT
from tests.integration.conftest import Engine
from tests.integration.stack import Stack, Update

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

HARM = """
import json, os, pathlib, sys
step, name, how = sys.argv[1:]
markers = sorted(pathlib.Path("/app/output/runs").glob("*/complete.json"), key=os.path.getmtime)
*_, folder = [m.parent for m in markers if json.loads(m.read_text())["step"].endswith(step)]
path = folder / name
if how == "flip":
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
elif how == "cut":
    os.truncate(path, path.stat().st_size // 2)
elif how == "undo":
    # As it lies after its step was killed in its last moment.
    folder.rename(f"{folder}.partial")
elif how == "read":
    print(path.read_text())
"""
LAYERS = f"""
import hashlib, json, os, pathlib, sys
model, how = sys.argv[1:]
store = pathlib.Path("{OLLAMA_STORE}")
manifest = store / "models/manifests/registry.ollama.ai/library" / model.replace(":", "/")
layers = json.loads(manifest.read_text())["layers"]
(layer,) = [each for each in layers if each["mediaType"].endswith("image.model")]
path = pathlib.Path("{OLLAMA_BLOBS}") / layer["digest"].replace(":", "-")
if how == "flip":
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
elif how == "cut":
    os.truncate(path, layer["size"] // 2)
print(f"sha256:{{hashlib.sha256(path.read_bytes()).hexdigest()}}" == layer["digest"])
"""


class Story:
    """A stack whose artefacts come to harm."""

    def __init__(self, stack: Stack, engine: Engine, image: str) -> None:
        self.stack, self.engine, self.image = stack, engine, image
        self.moment = time.time()

    def up(self) -> Update:
        self.moment = time.time()
        update = self.stack.up()
        assert update.returncode == 0, update.output
        return update

    @property
    def started(self) -> list[str]:
        """The steps that the last up has started containers of."""
        prefix = f"{self.stack.physical_name}-stack-guide-"
        found = self.engine.started_since(self.stack, self.moment)
        return [name.removeprefix(prefix) for name in found]

    @property
    def checks(self) -> int:
        return self.engine.checks_since(self.stack, self.moment)

    def harm(self, step: str, name: str, how: str) -> str:
        """Do something to a file of the last artefact of a step."""
        volume = f"{self.stack.physical_name}-output:{OUTPUT}"
        return self._python([HARM, step, name, how], volume)

    def layer(self, model: str, how: str) -> bool:
        """Do something to the weights of a model in Ollama's store; whether they are whole then."""
        volume = f"{self.stack.physical_name}-ollama:{OLLAMA_STORE}"
        return self._python([LAYERS, model, how], volume) == "True"

    def _python(self, words: list[str], volume: str) -> str:
        said = self.engine.client.containers.run(
            self.image, ["python", "-c", *words], volumes=[volume], network_mode="none", remove=True
        )
        return said.decode().strip()

    def answers(self) -> bool:
        """Whether the model gives the answer that it was trained to give."""
        row = json.loads(Path(self.stack.settings["datasets"][0]["file"]).read_text())[0]
        message = {"role": "user", "content": row["instruction"]}
        port = self.stack.settings["ollama_server"]["port"]
        reply = httpx.post(
            f"http://127.0.0.1:{port}/api/chat",
            json={"model": "stack-guide", "messages": [message], "stream": False},
            timeout=60,
        )
        reply.raise_for_status()
        return bool(reply.json()["message"]["content"].strip() == row["output"])

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the model in Ollama: another one of these makes that model again, and no other."""
        found: dict[str, Any] = self.stack.model["ollama_model"]["parameters"]
        return found


@pytest.fixture(scope="module")
def story(
    engine: Engine, images: ImagesPlan, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    stack = Stack(tmp_path_factory.mktemp("integrity") / "home")
    stack.settings["board"] = {"enabled": False}
    made = Story(stack, engine, images.llamafactory.reference)
    try:
        made.up()
        yield made
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


class TestArtefacts:
    def test_a_merged_weight_that_was_flipped_is_merged_again_before_it_is_converted(
        self, story: Story
    ):
        story.harm("merge", "model.safetensors", "flip")
        story.stack.model["gguf_conversion"]["quantization"] = "q8_0"
        update = story.up()
        assert "merge is damaged: model.safetensors has other bytes" in update.output
        assert story.started == ["merge", "gguf-conversion"]
        assert story.answers()
        # Where nothing is made nothing is read.
        assert set(story.up().changes) == {"same"}
        assert (story.started, story.checks) == ([], 0)

    @pytest.mark.nightly
    def test_a_gguf_that_was_cut_is_converted_again_before_it_is_served(self, story: Story):
        story.harm("gguf-conversion", "model.gguf", "cut")
        story.parameters["temperature"] = 0.01
        update = story.up()
        assert "gguf-conversion is damaged: model.gguf has other bytes" in update.output
        assert story.started == ["gguf-conversion"]
        assert story.answers()

    @pytest.mark.nightly
    def test_the_chain_begins_again_at_the_last_good_step(self, story: Story):
        story.harm("sft", "adapter_model.safetensors", "flip")
        story.harm("merge", "config.json", "cut")
        story.stack.model["gguf_conversion"]["quantization"] = "bf16"
        update = story.up()
        assert "sft is damaged: adapter_model.safetensors has other bytes" in update.output
        assert "merge is damaged: config.json has other bytes" in update.output
        # Its last checkpoint was whole.
        assert "resumes from what an interrupted run left" in update.output
        assert story.started == ["sft", "merge", "gguf-conversion"]
        assert story.answers()

    @pytest.mark.nightly
    def test_of_what_is_whole_nothing_is_made_again(self, story: Story):
        story.stack.model["gguf_conversion"]["quantization"] = "f32"
        update = story.up()
        assert story.started == ["gguf-conversion"]
        assert story.checks == 1
        assert "were held against their sums" in update.output
        assert "damaged" not in update.output


class TestLayers:
    @pytest.mark.parametrize("how", ["cut", pytest.param("flip", marks=pytest.mark.nightly)])
    def test_a_damaged_layer_is_made_again(self, story: Story, how: str):
        assert story.layer("stack-guide:latest", "look")
        assert not story.layer("stack-guide:latest", how)
        if how == "flip":
            # Of that no size tells: it is found as soon as the layer becomes part of a model.
            story.parameters["temperature"] = 0.02
        update = story.up()
        assert "in Ollama's store" in update.output
        assert story.started == []
        assert story.layer("stack-guide:latest", "look"), update.output
        assert story.answers()

    @pytest.mark.nightly
    def test_a_damaged_model_is_neither_kept_nor_gone_back_to(self, story: Story):
        own = story.stack.model["ollama_model"]
        own["keep"] = 2
        story.up()
        story.stack.model["gguf_conversion"]["quantization"] = "q8_0"
        story.up()
        ((kept, *_),) = story.stack.outputs()["kept_models"].values()
        assert not story.layer(kept["model"], "flip")
        own["rollback_to"] = kept["identity"]
        refused = story.stack.up()
        del own["rollback_to"]
        assert refused.returncode != 0
        assert f"the kept model {kept['model']} is damaged" in refused.output
        assert story.answers()
        assert not story.layer("stack-guide:latest", "flip")
        story.stack.model["gguf_conversion"]["quantization"] = "bf16"
        update = story.up()
        assert "the model that served before does not stay" in update.output
        assert story.answers()


@pytest.mark.nightly
class TestCheckpoints:
    @pytest.mark.parametrize("name", ["optimizer.pt", "adapter_model.safetensors"])
    def test_a_training_resumes_from_the_last_one_that_is_whole(self, story: Story, name: str):
        story.harm("sft", f"checkpoint-60/{name}", "cut")
        story.harm("sft", "", "undo")
        update = story.up()
        assert "resumes from what an interrupted run left" in update.output
        assert story.started == ["sft"]
        log = story.harm("sft", "trainer_log.jsonl", "read").splitlines()
        steps = [json.loads(line)["current_steps"] for line in log]
        *_, resumed_at = [step for before, step in pairwise(steps) if step < before]
        assert resumed_at == 41
        assert story.harm("sft", "checkpoint-60/trainer_state.json", "read")
        assert story.answers()
