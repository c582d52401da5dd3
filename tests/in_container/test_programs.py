"""What runs inside the LLaMA-Factory image, as far as it needs no image (E2, H3)."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from planning.base_model import render_parameters
from planning.special_tokens import special_tokens
from stack_configs.settings.base_model import GeneratedModelSettings
from stack_configs.settings.chat_templates import TRAINING_TEMPLATES, ChatTemplate
from tests.images.conftest import load_program

PROGRAMS = Path(__file__).parents[2] / "in_container"
TOKENS = {
    "begin": "<s>",
    "end": "</s>",
    "pad": "<pad>",
    "turns": ["[INST]", "[/INST]"],
    "writes_begin": True,
}
GOOD: dict[str, Any] = {
    "seed": 42,
    "hidden_size": 256,
    "intermediate_size": 512,
    "layers": 2,
    "attention_heads": 4,
    "vocabulary_size": 400,
    "special_tokens": TOKENS,
}


tiny_model = load_program(PROGRAMS / "tiny_model.py")
merge = load_program(PROGRAMS / "merge.py")
complete_tokenizer = load_program(PROGRAMS / "complete_tokenizer.py")
accelerator_check = load_program(PROGRAMS / "accelerator_check.py")
calibration_text = load_program(PROGRAMS / "calibration_text.py")


@pytest.fixture
def parameters_file(tmp_path):
    def write(content: object) -> Path:
        path: Path = tmp_path / "parameters.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.mark.parametrize("template", TRAINING_TEMPLATES)
def test_the_plan_writes_what_the_program_needs(parameters_file, template: ChatTemplate):
    settings = GeneratedModelSettings()

    parameters = tiny_model.read_parameters(parameters_file(render_parameters(settings, template)))

    assert parameters.hidden_size == settings.hidden_size
    assert tuple(parameters.special_tokens.turns) == special_tokens(template).turns


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
        ({**GOOD, "special_tokens": {}}, "'begin'"),
        ({**GOOD, "special_tokens": {**TOKENS, "pad": "<s>"}}, "must be texts that differ"),
        ({**GOOD, "special_tokens": {**TOKENS, "turns": [""]}}, "must be texts that differ"),
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", '[{"a": "ask"}, {"b": "answer"}]'),
        ("rows.json", '{"a": "ask"}\n{"b": "answer"}\n'),
        ("rows.jsonl", '\ufeff{"a": "ask"}\r\n\r\n{"b": "answer"}'),
    ],
)
def test_texts_come_from_json_of_either_form(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")

    assert tiny_model.read_texts([path]) == ("ask", "answer")


def test_a_text_may_hold_a_line_separator(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x\u2028y"}\n', encoding="utf-8")

    assert tiny_model.read_texts([path]) == ("x\u2028y",)


def test_data_without_text_is_refused(tmp_path):
    path = tmp_path / "empty.json"
    path.write_text("[]")

    with pytest.raises(tiny_model.InputError, match="no text in"):
        tiny_model.read_texts([path])


def test_every_weight_of_the_architecture_is_there():
    tokens = tiny_model.SpecialTokens(**TOKENS)
    shapes = tiny_model.weight_shapes(
        tiny_model.Parameters(**{**GOOD, "special_tokens": tokens}), 400
    )

    assert len(shapes) == 3 + GOOD["layers"] * 9
    assert shapes["model.layers.1.mlp.down_proj.weight"] == (256, 512)
    assert shapes["lm_head.weight"] == (400, 256)


def test_special_tokens_are_numbered_as_sentencepiece_numbers_them():
    config = tiny_model.tokenizer_config(tiny_model.SpecialTokens(**TOKENS))

    decoder = config["added_tokens_decoder"]
    assert [decoder[str(index)]["content"] for index in range(len(decoder))] == [
        "<unk>",
        "<s>",
        "</s>",
        "<pad>",
        "[INST]",
        "[/INST]",
    ]
    assert config["add_bos_token"] is True


@pytest.fixture
def exported(tmp_path):
    """What training and `llamafactory-cli export` leave with transformers 5."""
    folder = tmp_path / "exported"
    folder.mkdir()
    config = {"bos_token": "<s>", "eos_token": "<|eot_id|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    token = {"id": 6, "content": "<|eot_id|>", "special": True, "lstrip": False}
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": [token]}))
    return folder


def tokenizer_config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text())
    return found


class TestCompleteTokenizer:
    def test_a_sentencepiece_tokenizer(self, exported, tmp_path):
        (tmp_path / "tokenizer.model").write_bytes(b"vocabulary")
        command = ["--begin-token", "--revision", "main", str(tmp_path), str(exported)]

        complete_tokenizer.main(command)

        assert (exported / "tokenizer.model").read_bytes() == b"vocabulary"
        complete = {
            "bos_token": "<s>",
            "eos_token": "<|eot_id|>",
            "add_bos_token": True,
            "added_tokens_decoder": {
                "6": {"content": "<|eot_id|>", "special": True, "lstrip": False}
            },
        }
        assert tokenizer_config(exported) == complete
        complete_tokenizer.main(command)
        assert tokenizer_config(exported) == complete, "complete already"

    def test_a_model_without_sentencepiece_gets_no_vocabulary(self, exported, tmp_path):
        complete_tokenizer.main(["--no-begin-token", str(tmp_path), str(exported)])

        assert not (exported / "tokenizer.model").exists()
        assert tokenizer_config(exported) == {
            "bos_token": "<s>",
            "eos_token": "<|eot_id|>",
            "add_bos_token": False,
        }

    def test_a_tokenizer_without_a_begin_token_adds_none(self, exported, tmp_path):
        (exported / "tokenizer_config.json").write_text('{"bos_token": null}')
        complete_tokenizer.main(["--begin-token", str(tmp_path), str(exported)])
        assert tokenizer_config(exported)["add_bos_token"] is False

    def test_a_folder_without_a_model_is_one_line_and_no_stack_trace(self, tmp_path, capsys):
        with pytest.raises(SystemExit, match="1"):
            complete_tokenizer.main(["--begin-token", str(tmp_path), str(tmp_path)])
        assert capsys.readouterr().err.startswith(f"error: {tmp_path}/tokenizer_config.json: No")


class TestTheHubsVocabulary:
    """What was fetched of a revision is all that there is: nobody is asked."""

    @staticmethod
    def find(monkeypatch: Any, config: str | None) -> tuple[list[Any], Any]:
        asked: list[Any] = []
        hub = ModuleType("huggingface_hub")

        def look(*where: Any, **options: Any) -> str | None:
            asked.append((*where, options))
            return config

        hub.try_to_load_from_cache = look  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
        return asked, complete_tokenizer.find_vocabulary("a/b", revision="v2")

    def test_it_lies_beside_the_configuration_of_the_revision(self, monkeypatch, tmp_path):
        (tmp_path / "tokenizer.model").touch()
        asked, found = self.find(monkeypatch, str(tmp_path / "config.json"))
        assert found == tmp_path / "tokenizer.model"
        assert asked == [("a/b", "config.json", {"revision": "v2"})]

    def test_a_model_may_have_none(self, monkeypatch, tmp_path):
        assert self.find(monkeypatch, str(tmp_path / "config.json"))[1] is None

    def test_a_model_that_is_not_there_is_not_taken_for_a_no(self, monkeypatch):
        with pytest.raises(complete_tokenizer.InputError, match="has not been fetched"):
            self.find(monkeypatch, None)


class TestMerge:
    def run(self, tmp_path: Path, monkeypatch: Any, content: str) -> list[Any]:
        """What the export loads, and for which length."""
        loaded: list[Any] = []

        def parse(arguments: Any) -> Any:
            return SimpleNamespace(model_max_length=None, **arguments), "data", "tuning"

        def export_model(arguments: Any) -> None:
            model, *others = tuner.get_infer_args(arguments)
            loaded.append((model.export_dir, model.model_max_length, others))

        tuner = ModuleType("llamafactory.train.tuner")
        tuner.get_infer_args, tuner.export_model = parse, export_model  # type: ignore[attr-defined]
        train = ModuleType("llamafactory.train")
        train.tuner = tuner  # type: ignore[attr-defined]
        for module in (ModuleType("llamafactory"), train, tuner):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        (tmp_path / "merge.yaml").write_text(content)
        merge.main([str(tmp_path / "merge.yaml")])
        return loaded

    def test_positions_are_scaled_for_the_length_of_the_training(self, tmp_path, monkeypatch):
        content = "export_dir: /out\ncutoff_len: 4096\n"
        assert self.run(tmp_path, monkeypatch, content) == [("/out", 4096, ["data", "tuning"])]

    def test_otherwise_the_export_is_left_alone(self, tmp_path, monkeypatch):
        content = "export_dir: /out\n"
        assert self.run(tmp_path, monkeypatch, content) == [("/out", None, ["data", "tuning"])]

    @pytest.mark.parametrize("content", ["[", "[1]", ""])
    def test_a_file_that_holds_no_arguments(self, tmp_path, monkeypatch, capsys, content):
        with pytest.raises(SystemExit, match="1"):
            self.run(tmp_path, monkeypatch, content)
        assert capsys.readouterr().err.startswith(f"error: {tmp_path}/merge.yaml ")


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


class TestCalibrationText:
    ROWS = ([1, 2, 3], [4, 5], [6, 7, 8, 9])

    @pytest.mark.parametrize(
        ("at_most", "kept"),
        [(100, [[1, 2, 3], [4, 5], [6, 7, 8, 9]]), (4, [[1, 2, 3], [4]]), (3, [[1, 2, 3]])],
    )
    def test_no_more_tokens_are_taken_than_are_asked_for(self, at_most, kept):
        assert list(calibration_text.rows_until(iter(self.ROWS), at_most)) == kept

    @pytest.mark.parametrize(("at_least", "times"), [(1, 1), (9, 1), (10, 2), (27, 3)])
    def test_too_few_tokens_are_repeated(self, at_least, times):
        assert list(calibration_text.repeated(self.ROWS, at_least)) == list(self.ROWS) * times

    def test_large_data_is_not_read_to_its_end(self):
        told = calibration_text._arguments({"max_samples": 10**6}, 2048, Path("/x"))
        assert told["max_samples"] == 128
        assert calibration_text._arguments({"max_samples": 7}, 2048, Path("/x"))["max_samples"] == 7

    def test_a_wrong_call_is_answered_with_the_right_one(self):
        with pytest.raises(SystemExit, match=r"^usage: "):
            calibration_text.main(["only"])
