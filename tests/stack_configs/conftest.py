"""The smallest settings that are right, and what is said about those that are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.problem import Problem, SettingsError
from stack_configs.settings.loader import load_settings, parse_settings

ALPACA = [
    {"instruction": "What is LoRA?", "input": "", "output": "A few small layers."},
    {"instruction": "Add.", "input": "1 and 2", "output": "3"},
]
SHAREGPT = [
    {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Hello"},
            {"from": "gpt", "value": "Hi"},
        ]
    }
]
RANKED = [{"instruction": "Say hi.", "chosen": "Hi.", "rejected": "No."}]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A folder with the data files that the document names."""
    for name, rows in (("alpaca", ALPACA), ("sharegpt", SHAREGPT), ("ranked", RANKED)):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


@pytest.fixture
def document() -> dict[str, Any]:
    """A document that is right; each test spoils it in one way."""
    return {
        "host": {"gpu": {"memory_gb": 24}},
        "datasets": [{"name": "alpaca", "file": "alpaca.json"}],
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"},
                "training_runs": [{"datasets": ["alpaca"]}],
            }
        ],
    }


@pytest.fixture
def problems_of(directory: Path) -> Callable[[Any], list[Problem]]:
    """Every problem of a document; none when it is right."""

    def find(document: Any) -> list[Problem]:
        try:
            parse_settings(document, directory=directory, source="test.yaml")
        except SettingsError as error:
            return list(error.problems)
        return []

    return find


@pytest.fixture
def problems_of_text(directory: Path) -> Callable[[str], list[Problem]]:
    """Every problem of a file with that text."""

    def find(text: str) -> list[Problem]:
        path = directory / "test.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            load_settings(path)
        except SettingsError as error:
            return list(error.problems)
        return []

    return find


@pytest.fixture
def text(document: dict[str, Any]) -> str:
    """The document that is right, as a file's text."""
    return yaml.safe_dump(document, sort_keys=False)
