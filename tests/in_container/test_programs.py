"""What runs inside the LLaMA-Factory image, as far as it needs no image (E2, H3)."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from stack_configs.settings.models import GeneratedModelSettings
from tests.images.conftest import load_program

PROGRAMS = Path(__file__).parents[2] / "in_container"
GOOD = {
    "seed": 42,
    "hidden_size": 256,
    "intermediate_size": 512,
    "layers": 2,
    "attention_heads": 4,
    "vocabulary_size": 400,
}


tiny_model = load_program(PROGRAMS / "tiny_model.py")
merge = load_program(PROGRAMS / "merge.py")
accelerator_check = load_program(PROGRAMS / "accelerator_check.py")


@pytest.fixture
def parameters_file(tmp_path):
    def write(content: object) -> Path:
        path: Path = tmp_path / "parameters.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_the_settings_hold_what_the_program_needs(parameters_file):
    settings = GeneratedModelSettings().model_dump()

    parameters = tiny_model.read_parameters(parameters_file(settings))

    assert parameters.hidden_size == settings["hidden_size"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ([1], "needed"),
        ({**GOOD, "colour": 1}, "colour"),
        ({key: GOOD[key] for key in GOOD if key != "layers"}, "'layers'"),
        ({**GOOD, "layers": 0}, "layers is 0"),
        ({**GOOD, "layers": "2"}, "layers is '2'"),
        ({**GOOD, "layers": True}, "layers is True"),
        ({**GOOD, "attention_heads": 3}, "hidden_size 256"),
    ],
)
def test_parameters_that_make_no_model_are_refused(parameters_file, content, message):
    with pytest.raises(tiny_model.InputError, match=message):
        tiny_model.read_parameters(parameters_file(content))


def test_a_wrong_call_or_file_is_one_line_and_no_stack_trace(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        tiny_model.main(["only", "two"])
    with pytest.raises(SystemExit, match="1"):
        tiny_model.main([str(tmp_path / "none.json"), str(tmp_path), str(tmp_path / "data.json")])
    with pytest.raises(SystemExit, match="1"):
        merge.main([str(tmp_path / "none.yaml")])

    usage, missing, no_yaml = capsys.readouterr().err.splitlines()
    assert usage.startswith("error: usage: tiny_model.py")
    assert missing.startswith("error: parameters file")
    assert no_yaml.startswith("error: ")


def test_texts_come_from_every_layout(tmp_path):
    alpaca = tmp_path / "alpaca.json"
    alpaca.write_text(json.dumps([{"instruction": "ask", "input": " ", "output": "answer"}]))
    turns = tmp_path / "turns.jsonl"
    row = {"conversations": [{"role": "user", "content": "hello"}], "score": 3}
    turns.write_text(json.dumps(row) + "\n\n")

    texts = tiny_model.read_texts([alpaca, turns])

    assert texts == ("ask", "answer", "user", "hello")


def test_data_without_text_is_refused(tmp_path):
    path = tmp_path / "empty.json"
    path.write_text("[]")

    with pytest.raises(tiny_model.InputError, match="no text in"):
        tiny_model.read_texts([path])


def test_every_weight_of_the_architecture_is_there():
    shapes = tiny_model.weight_shapes(tiny_model.Parameters(**GOOD), 400)

    assert len(shapes) == 3 + GOOD["layers"] * 9
    assert shapes["model.layers.1.mlp.down_proj.weight"] == (256, 512)
    assert shapes["lm_head.weight"] == (400, 256)


def test_special_tokens_are_numbered_as_sentencepiece_numbers_them():
    decoder = tiny_model.tokenizer_config()["added_tokens_decoder"]

    assert [decoder[str(index)]["content"] for index in range(len(decoder))] == [
        "<unk>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|finetune_right_pad_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|eom_id|>",
    ]


@pytest.fixture
def exported(tmp_path):
    """What `llamafactory-cli export` leaves with transformers 5."""
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|eot_id|>"}))
    token = {"id": 6, "content": "<|eot_id|>", "special": True, "lstrip": False}
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": [token]}))
    return folder


def test_the_merge_completes_a_sentencepiece_tokenizer(exported, tmp_path):
    base = tmp_path / "tokenizer.model"
    base.write_bytes(b"vocabulary")

    assert merge.complete_tokenizer(base, exported)

    assert (exported / "tokenizer.model").read_bytes() == b"vocabulary"
    config = json.loads((exported / "tokenizer_config.json").read_text())
    assert config == {
        "eos_token": "<|eot_id|>",
        "added_tokens_decoder": {"6": {"content": "<|eot_id|>", "special": True, "lstrip": False}},
    }
    assert not merge.complete_tokenizer(base, exported), "complete already"


def test_the_merge_leaves_a_model_without_sentencepiece_alone(exported):
    before = (exported / "tokenizer_config.json").read_text()

    assert not merge.complete_tokenizer(None, exported)

    assert (exported / "tokenizer_config.json").read_text() == before


def test_the_vocabulary_of_a_local_base_model_is_found(tmp_path):
    assert merge.find_vocabulary(str(tmp_path), None) is None

    (tmp_path / "tokenizer.model").touch()

    assert merge.find_vocabulary(str(tmp_path), None) == tmp_path / "tokenizer.model"


class Torch(ModuleType):
    """torch on a machine with such devices; there is none of them here."""

    def __init__(self, kind: str, *gigabytes: float, broken: str | None = None) -> None:
        super().__init__("torch")
        self.computed_on: list[str] = []
        properties = [
            SimpleNamespace(name=f"Device {index}", total_memory=int(size * 1000**3))
            for index, size in enumerate(gigabytes)
        ]
        backend = SimpleNamespace(
            is_available=lambda: bool(properties),
            device_count=lambda: len(properties),
            get_device_properties=properties.__getitem__,
        )
        setattr(self, kind, backend)
        self.broken = broken

    def ones(self, *_: int, device: str) -> Any:
        if self.broken:
            raise RuntimeError(self.broken)
        self.computed_on.append(device)
        return SimpleNamespace(sum=lambda: SimpleNamespace(item=lambda: 4.0))


class TestAcceleratorCheck:
    def run(self, tmp_path: Path, monkeypatch: Any, torch: Torch, **expected: Any) -> Any:
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "torch_npu", ModuleType("torch_npu"))
        asked, found = tmp_path / "expected.json", tmp_path / "found.json"
        wanted = {"hardware": "cuda", "count": "all"} | expected
        asked.write_text(json.dumps(wanted))
        accelerator_check.main([str(asked), str(found)])
        return json.loads(found.read_text())

    def test_each_device_computes_and_is_named(self, tmp_path, monkeypatch):
        torch = Torch("cuda", 24, 24)
        found = self.run(tmp_path, monkeypatch, torch, count=2)
        assert [device["name"] for device in found["accelerators"]] == ["Device 0", "Device 1"]
        assert found["accelerators"][0]["memory_gb"] == 24
        assert torch.computed_on == ["cuda:0", "cuda:1"]

    @pytest.mark.parametrize(("hardware", "kind"), [("rocm", "cuda"), ("npu", "npu")])
    def test_other_hardware_answers_under_torchs_name_for_it(
        self, tmp_path, monkeypatch, hardware, kind
    ):
        torch = Torch(kind, 64)
        self.run(tmp_path, monkeypatch, torch, hardware=hardware)
        assert torch.computed_on == [f"{kind}:0"]

    @pytest.mark.parametrize(
        ("torch", "expected", "words"),
        [
            (Torch("cuda"), {}, "torch sees no device, and host.hardware is cuda"),
            (Torch("cuda", 24), {"count": 2}, "sees 1 device(s), and host.gpu.count is 2"),
            (Torch("cuda", 24, broken="no kernel image"), {}, "no kernel image"),
        ],
    )
    def test_what_is_missing_ends_it_in_words(
        self, tmp_path, monkeypatch, capsys, torch, expected, words
    ):
        with pytest.raises(SystemExit, match="1"):
            self.run(tmp_path, monkeypatch, torch, **expected)
        assert words in capsys.readouterr().err
        assert not (tmp_path / "found.json").exists()
