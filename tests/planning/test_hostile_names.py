"""What the engine would be told of names that a shell, YAML or a template could take for more."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan import paths
from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings

HOSTILE = 'it\'s "a" $(touch x) `touch x`; touch x #\\ {{ .Prompt }} %s é你😀'
"""On one line, and each of its signs is a trap somewhere."""
LINES = f"{HOSTILE}\nkey: value\n- item\n\t--- ''"

PROGRAMS = (
    *("python", "llamafactory-cli", "convert_hf_to_gguf.py", "mv", "rm", "mkdir", "cp"),
    *("find", "xargs", "sort"),
)
NOWHERE = "cd() { :; }; "
"""The folders of the containers are not there."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@pytest.fixture
def document(directory: Path) -> dict[str, Any]:
    """Settings with such a text wherever one is allowed."""
    rows = [{HOSTILE: "What?", "output": "That.", "instruction": ""}]
    (directory / f"{HOSTILE[:30]}.json").write_text(json.dumps(rows), encoding="utf-8")
    return {
        "host": {"hardware": "cpu"},
        "volumes": {"hf_cache": {"host_path": f"/srv/{HOSTILE}"}},
        "datasets": [
            {
                "name": "rows",
                "file": f"{HOSTILE[:30]}.json",
                "columns": {"prompt": HOSTILE, "response": "output"},
            },
            {"name": "hub", "hf_hub_url": "a/b", "subset": HOSTILE, "split": HOSTILE},
        ],
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"path": f"{paths.HF_CACHE}/{HOSTILE}"},
                "training_runs": [
                    {
                        "datasets": ["rows", "hub"],
                        "lora_target": LINES,
                        "additional_target": [HOSTILE],
                        "default_system": LINES,
                    },
                    {"name": "full", "finetuning_type": "full", "datasets": ["rows"]},
                ],
                "ollama_model": {
                    "system": LINES,
                    "parameters": {"stop": [HOSTILE, LINES]},
                    "smoke_prompts": [{"prompt": LINES, "expect": HOSTILE}],
                },
            }
        ],
        "ollama_server": {"environment": {"OLLAMA_ORIGINS": HOSTILE}},
    }


@pytest.fixture
def plan(document: dict[str, Any], directory: Path) -> PipelinePlan:
    settings = parse_settings(document, directory=directory, source="test.yaml")
    return plan_pipeline(settings, owner=Owner(stack="test"), facts=HostFacts())


def configuration(files: Mapping[str, str], suffix: str) -> Any:
    (content,) = [text for name, text in files.items() if name.endswith(suffix)]
    return yaml.safe_load(content)


def test_a_shell_runs_the_stacks_own_commands_alone(plan: PipelinePlan, tmp_path: Path) -> None:
    programs, told = tmp_path / "bin", tmp_path / "told"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(
            f'#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word" >> {told}; done\n'
        )
        (programs / name).chmod(0o755)
    (tmp_path / "work").mkdir()
    for step in plan.container_steps:
        shell, flags, script = step.container.command
        assert shell == "sh"
        subprocess.run(
            [shell, flags, NOWHERE + script],
            env={"PATH": str(programs)},
            executable="/bin/sh",
            cwd=tmp_path / "work",
            check=True,
        )
    words = told.read_bytes().decode().split("\0")
    # The folder of the base model is one word where the tokenizer is completed from it.
    assert f"{paths.HF_CACHE}/{HOSTILE}" in words
    assert [path.name for path in (tmp_path / "work").iterdir()] == [paths.SUMS]


def test_yaml_and_json_hold_each_text_as_it_is(plan: PipelinePlan) -> None:
    first, *_ = [step for step in plan.container_steps if step.noun == "training-run"]
    arguments = configuration(first.files, ".yaml")
    assert arguments["lora_target"] == LINES
    assert arguments["additional_target"] == HOSTILE
    assert arguments["default_system"] == LINES
    assert arguments["model_name_or_path"] == f"{paths.HF_CACHE}/{HOSTILE}"
    assert set(arguments) & {"key", HOSTILE} == set()
    info = json.loads(plan.dataset_registration.info)
    assert info["rows"]["columns"]["prompt"] == HOSTILE
    assert info["hub"]["subset"] == info["hub"]["split"] == HOSTILE


def test_paths_and_labels_are_the_stacks_own(plan: PipelinePlan) -> None:
    names = [step.name for step in plan.container_steps] + [
        model.ollama_model.name for model in plan.models
    ]
    assert all(NAME.fullmatch(name) for name in names)
    assert all(NAME.fullmatch(step.identity) for step in plan.container_steps)
    (data, *_) = plan.dataset_registration.files
    # A data file is called after its data set, whatever the operator calls the file.
    assert re.fullmatch(r"/app/data/files/[0-9a-f]{16}/rows\.json", data.target)
    for step in plan.container_steps:
        assert all(NAME.fullmatch(name) for name in step.files)


def test_a_modelfile_quotes_each_text(plan: PipelinePlan) -> None:
    (model,) = plan.models
    modelfile = model.ollama_model.modelfile
    assert f'\nSYSTEM """{LINES}"""\n' in modelfile
    assert f'\nPARAMETER stop """{HOSTILE}"""\n' in modelfile
    assert f'\nPARAMETER stop """{LINES}"""\n' in modelfile
    # What parts one command from the next is outside of all quotes.
    outside = re.sub(r'""".*?"""', "", modelfile, flags=re.DOTALL)
    assert {line.split()[0] for line in outside.splitlines() if line} <= {
        "FROM",
        "TEMPLATE",
        "SYSTEM",
        "PARAMETER",
    }


def test_the_engine_gets_a_directory_and_a_variable_whole(plan: PipelinePlan) -> None:
    mounts = {mount.source for step in plan.container_steps for mount in step.container.mounts}
    assert f"/srv/{HOSTILE}" in mounts
    (server,) = [service for service in plan.services if service.name.endswith("ollama-server")]
    assert server.container.environment["OLLAMA_ORIGINS"] == HOSTILE
