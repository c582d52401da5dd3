"""What is registered is what LLaMA-Factory trains on, and what is refused it would lose (D1-D6).

The data sets go through the settings, the planner and the registration's program into a volume;
the release's loader reads them there, in its image and without a network. Takes about a minute.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plan.codec import encode
from plan.host import HostFacts
from plan.image import ImagesPlan
from plan.owner import Owner
from plan.step import DatasetRegistrationStep, Request
from planning.pipeline import plan_pipeline
from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.loader import parse_settings
from tests.integration.data_formats.cases import BAD, GOOD, OPENAI_CALL, Bad, Good
from tests.integration.data_formats.release import (
    ask,
    engine_client,
    put,
    tables_of,
    texts_for_a_tokenizer,
)

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

PROJECT = Path(__file__).parents[2]
ANSWERED = {"instruction": "What is it?", "input": "", "output": "A stack."}
PICTURES: list[dict[str, Any]] = [
    {"instruction": "<image>What is it?", "output": "A stack.", "pictures": ["deep/a.png"]},
    {"instruction": "Say hi.", "output": "Hi.", "pictures": None},
]


@pytest.fixture(scope="module")
def client() -> Any:
    return engine_client()


@pytest.fixture(scope="module")
def image(images: ImagesPlan) -> str:
    return images.llamafactory.reference


@pytest.fixture(scope="module")
def volume(client: Any) -> Iterator[str]:
    made = client.volumes.create(f"fts-test-{secrets.token_hex(4)}-data")
    try:
        yield str(made.name)
    finally:
        made.remove(force=True)


@pytest.fixture(scope="module")
def good(client: Any, image: str) -> dict[str, Good]:
    """The cases, and those whose files only the image can write."""
    tables = tables_of(client, image, [ANSWERED])
    named = {"columns": {"prompt": "instruction", "response": "output"}}
    made = {
        f"{kind}_{name}": Good(
            files={f"a.{kind}": content},
            settings=settings,
            examples=1,
            text="What is it?<|eot_id|>",
        )
        for kind, content in tables.items()
        for name, settings in (("defaults", {}), ("named", named))
    }
    pictures = Good(
        files={"a.jsonl": "".join(json.dumps(row) + "\n" for row in PICTURES)},
        settings={"columns": {"images": "pictures"}, "media_dir": "media"},
        examples=2,
        text="",
    )
    return {**GOOD, **made, "pictures": pictures}


@pytest.fixture(scope="module")
def registration(
    good: Mapping[str, Good],
    image: str,
    volume: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> DatasetRegistrationStep:
    """Every good data set in the volume, by the real program."""
    folder = tmp_path_factory.mktemp("data")
    document = {"datasets": [], "models": [model(good)]}
    for name, case in good.items():
        for file, content in case.files.items():
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        places = {"file": next(iter(case.files)), **case.settings}
        places |= {k: f"{name}/{places[k]}" for k in ("file", "media_dir") if k in places}
        if "media_dir" in places:
            (folder / places["media_dir"] / "deep").mkdir(parents=True)
            (folder / places["media_dir"] / "deep/a.png").write_bytes(b"picture")
        document["datasets"].append({"name": name, **places})
    settings = parse_settings(document, directory=folder, source="test")
    plan = plan_pipeline(settings, owner=Owner(stack="fts-test"), facts=HostFacts())
    planned = plan.dataset_registration
    step = replace(
        planned,
        name=volume,
        image=image,
        mount=replace(planned.mount, source=volume),
    )
    done = subprocess.run(
        [sys.executable, "-m", "runtime", "dataset-registration", "converge"],
        input=encode(Request(engine=None, owner=Owner(stack="fts-test"), step=step, token="t")),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return step


def model(good: Mapping[str, Good]) -> dict[str, Any]:
    """A model whose runs name every data set; none of them runs here."""
    runs = [
        {"name": name.replace("_", "-"), "stage": case.stage, "datasets": [name]}
        for name, case in good.items()
    ]
    judge = {"name": "judge", "stage": "rm", "datasets": ["ranked"]}
    for run in runs:
        if run["stage"] == "ppo":
            run["reward_model"] = "judge"
    last = {"name": "last", "datasets": ["json_list"]}
    return {
        "name": "m",
        "template": "llama3",
        "base_model": {"generate": {}},
        "training_runs": [judge, *runs, last],
    }


@pytest.fixture(scope="module")
def answers(
    client: Any,
    image: str,
    volume: str,
    good: Mapping[str, Good],
    registration: DatasetRegistrationStep,
) -> dict[str, Any]:
    """What the release makes of everything, the refused rows beside the good ones."""
    media = {file.name: file.target for file in registration.files if "/media/" in file.target}
    questions: dict[str, Any] = {
        name: {"stage": case.stage, "media_dir": media.get(name, "/app/data")}
        for name, case in good.items()
    }
    questions |= {
        name: {"stage": case.stage, "media_dir": "/app/data"} for name, case in BAD.items()
    }
    settings = {name: case.settings for cases in (good, BAD) for name, case in cases.items()}
    for name, question in questions.items():
        question["sees"] = "media_dir" in settings[name]
    bad = {
        f"bad/{name}{case.suffix}": case.content
        if isinstance(case.content, bytes)
        else case.content.encode()
        for name, case in BAD.items()
    }
    info = json.loads(registration.info) | {name: entry(name, case) for name, case in BAD.items()}
    put(client, image, volume, {**bad, "dataset_info.json": json.dumps(info).encode()})
    return ask(client, image, volume, questions)


def entry(name: str, case: Bad) -> dict[str, Any]:
    """A refused file in the register, as a user of LLaMA-Factory would write it."""
    settings = {key: value for key, value in case.settings.items() if key != "media_dir"}
    made = {"file_name": f"bad/{name}{case.suffix}", **settings}
    if case.settings.get("formatting") == "openai":
        words = {"role": "role", "content": "content", "user": "user", "assistant": "assistant"}
        words |= {"observation": "tool", "function": "function_call", "system": "system"}
        made["tags"] = {f"{tag}_tag": word for tag, word in words.items()}
    return made


@pytest.mark.capability("D1", "D2", "D4", "D5")
@pytest.mark.parametrize(
    "name",
    [*GOOD, "parquet_defaults", "parquet_named", "arrow_defaults", "arrow_named"],
)
def test_what_is_registered_is_trained(
    name: str, good: Mapping[str, Good], answers: Mapping[str, Any]
) -> None:
    case, answer = good[name], answers[name]
    assert "error" not in answer, answer["error"]
    assert answer["examples"] == case.examples
    assert case.text in answer["texts"][0][0]
    assert "\ufeff" not in answer["texts"][0][0]


def test_columns_of_a_row_all_reach_the_prompt(answers: Mapping[str, Any]) -> None:
    text = answers["history_system_tools"]["texts"][0][0]
    assert [part in text for part in ("Be brief.", '"weather"', "Hi.<|eot_id|>")] == [True] * 3


def test_the_words_of_both_answers_are_compared(answers: Mapping[str, Any]) -> None:
    better, worse = answers["ranked"]["texts"][0]
    assert ("Yes." in better, "No." in worse) == (True, True)


def test_calls_and_results_of_tools_keep_their_turns(answers: Mapping[str, Any]) -> None:
    first = answers["openai_messages"]["first"]
    assert [turn["role"] for turn in first["_prompt"]] == ["user", "function", "observation"]
    assert json.loads(first["_prompt"][1]["content"]) == [OPENAI_CALL["function"]]
    assert "Sunny." in first["_prompt"][2]["content"]
    assert "Warm." in first["_prompt"][2]["content"]
    assert first["_system"].startswith("Be brief.")


def test_a_generated_model_knows_the_texts_of_every_format(client: Any, image: str) -> None:
    files = {f"a.{kind}": content for kind, content in tables_of(client, image, [ANSWERED]).items()}
    files |= {"b.csv": b"question,answer\nWhat?,That.\n", "c.txt": b"One.\n\nTwo.\n"}
    assert texts_for_a_tokenizer(client, image, files) == [
        *["What is it?", "A stack."] * 2,
        *["What?", "That.", "One.", "Two."],
    ]


def test_pictures_are_found(
    answers: Mapping[str, Any], registration: DatasetRegistrationStep
) -> None:
    (media,) = [file.target for file in registration.files if "/media/" in file.target]
    assert answers["pictures"]["first"]["_images"] == [f"{media}/deep/a.png"]


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    # The release warns, keeps the bare name, and stops when it opens the file.
    (tmp_path / "media").mkdir()
    rows = [{**PICTURES[0], "pictures": [name]} for name in ("gone.png", "../a", "/etc/hosts")]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    settings = {"columns": {"images": "pictures"}, "media_dir": "media", "file": "a.json"}
    with pytest.raises(ValidationError) as caught:
        DatasetSettings.model_validate({"name": "a", **settings}, context={"directory": tmp_path})
    said = str(caught.value)
    assert "row 1 has 'gone.png' in column 'pictures', which is no file in media" in said
    assert said.count("which lies outside media_dir") == 2


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_would_be_lost(name: str, answers: Mapping[str, Any]) -> None:
    case, answer = BAD[name], answers[name]
    if case.raises is not None:
        assert case.raises in answer.get("error", "nothing was raised")
    elif case.examples is not None:
        assert answer.get("examples", answer) == case.examples
    else:
        assert case.trains is not None
        assert any(case.trains in text for text in answer["texts"][0]), answer


@pytest.mark.capability("D6")
@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    case = BAD[name]
    path = tmp_path / f"rows{case.suffix}"
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    with pytest.raises(ValidationError) as caught:
        DatasetSettings.model_validate(
            {"name": "rows", "file": path.name, **case.settings}, context={"directory": tmp_path}
        )
    assert case.said in str(caught.value)
