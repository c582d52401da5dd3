"""What is generated is fresh, and says of the settings what is so."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import settings_reference, support_matrix
from docs.generate import GENERATED
from docs.settings_schema import editor_schema, schema
from stack_configs.settings.root import Settings
from stack_configs.settings.settings_yaml import SettingsYaml
from tests.json_schema import faults

PROJECT = Path(__file__).parents[2]
CONFIGS = PROJECT / "stack_configs"
ENVIRONMENTS = sorted([*CONFIGS.glob("*.yaml"), *CONFIGS.glob("examples/*.yaml")])
EDITORS_LINE = "# yaml-language-server: $schema="


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_fresh(name: str) -> None:
    assert (PROJECT / name).read_text(encoding="utf-8") == GENERATED[name](), (
        "run python -m docs.generate"
    )


def test_every_setting_is_described() -> None:
    bare = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key, setting in section["properties"].items()
        if not (settings_reference._Page(sections())._meaning(setting))
    ]
    assert bare == []


def test_every_section_has_a_table() -> None:
    page = settings_reference.render()
    for section in sections().values():
        for key in section["properties"]:
            assert f"\n| `{key}` | " in page
    assert page.count("\n## ") == len(sections())


@pytest.mark.parametrize(
    "row",
    [
        "| `count` | a whole number from 1 to 1024 or `all` | `all` | ",
        "| `memory_gb` | a number from 0.001 to 1000000 | unset | ",
        "| `output` | section [`volumes.data`](#volumesdata) | `retain: true` | ",
        "| `datasets` | list of section [`datasets[]`](#datasets) | required | ",
        "| `lora_dropout` | a number from 0 below 1 | `0.0` | ",
    ],
)
def test_a_row_says_what_the_models_say(row: str) -> None:
    assert row in settings_reference.render()


class TestSchema:
    """What an editor makes of the environments, as far as their keys and words go."""

    @pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
    def test_an_editor_finds_it_and_nothing_wrong(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        named = text.splitlines()[0].removeprefix(EDITORS_LINE)
        assert (path.parent / named).resolve() == CONFIGS / "schema.json"
        document = yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
        assert faults(document, editor_schema(), editor_schema()) == []

    def test_it_sees_a_typing_error(self) -> None:
        text = (CONFIGS / "demo.yaml").read_text(encoding="utf-8")
        document = yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
        wrong = copy.deepcopy(document)
        wrong["models"][0]["training_runs"][0]["learning_rat"] = 1
        wrong["host"]["hardware"] = "gpu"
        assert faults(wrong, editor_schema(), editor_schema()) == [
            "host.hardware",
            "models[0].training_runs[0].learning_rat",
        ]

    def test_it_knows_the_arguments_that_may_stand_in_a_run(self) -> None:
        run = editor_schema()["$defs"]["TrainingRunSettings"]["properties"]
        assert run["fsdp_config"]["type"] == ["object", "string", "null"]
        assert run["pref_loss"]["enum"][0] == "sigmoid"
        assert run["learning_rate"]["exclusiveMaximum"] == 1, "the stack's own says more"
        assert not {"template", "output_dir", "hf_hub_token"} & run.keys()

    def test_what_the_loader_takes_is_what_it_describes(self) -> None:
        assert set(schema()["properties"]) == set(Settings.model_fields)
        assert all(section["additionalProperties"] is False for section in sections().values())

    def test_it_holds_no_reference_for_who_reads_the_code(self) -> None:
        assert "(F6)" not in json.dumps(schema())
        assert "(H1" not in json.dumps(schema())


class TestSupportMatrix:
    def test_what_is_said_to_be_proved_has_a_test(self) -> None:
        for hardware, proofs in support_matrix.PROVED.items():
            assert proofs, hardware
            for _, test in proofs:
                assert (PROJECT / test).is_file()

    def test_it_says_what_the_settings_do(self) -> None:
        page = support_matrix.render()
        assert (
            "| QLoRA (`quantization_bit`, brings `bitsandbytes`) | yes | yes | yes | no |" in page
        )
        assert "`ollama/ollama:0.17.4-rocm`" in page


def sections() -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema()["$defs"]
    return found
