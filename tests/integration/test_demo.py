"""The whole demo on the real engine, as one story: each test goes on from the last (T1, T2, E2-E5).

Takes about ten minutes once images are built. If it is killed: `docker ps -a`, `docker volume ls`
and `docker network ls` with `--filter label=finetune-stack.stack` show what to remove.
"""

import base64
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import docker
import httpx
import pytest

from tests.integration.browser import LOOKS, Browser, accessibility_violations
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack, Update, make_report
from tests.terminal import Terminal

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1800)]

BOARD_TRAINING = Path(__file__).with_name("board_training.py")
STAGES = ("base-model", "sft", "merge", "gguf-conversion")


@pytest.fixture(autouse=True)
def _one_story(request: pytest.FixtureRequest, stack: Stack) -> Any:
    """Once a chapter failed the rest cannot be read: fail at once, with the reason."""
    if broken := getattr(stack, "broken_by", None):
        pytest.fail(f"the story broke off in {broken}")
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before:
        stack.broken_by = request.node.name  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page of the stack is written."""
    return tmp_path_factory.mktemp("report") / "index.html"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's key that signs."""
    path = tmp_path_factory.mktemp("key") / "signing.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", path],
        check=True,
        capture_output=True,
    )
    return path


def ask(stack: Stack, prompt: str) -> str:
    """The served model's answer, over the published port."""
    reply = httpx.post(
        f"{stack.outputs()['ollama_url']}/api/chat",
        json={
            "model": "stack-guide",
            "messages": [{"role": "user", "content": prompt}],
            "stream": False,
        },
        timeout=60,
    )
    reply.raise_for_status()
    answer: str = reply.json()["message"]["content"]
    return answer.strip()


def succeeded(update: Update) -> Update:
    assert update.returncode == 0, update.output
    return update


def changed(update: Update) -> dict[str, int]:
    return {operation: count for operation, count in update.changes.items() if operation != "same"}


def step(stack: Stack, noun: str) -> str:
    return f"{stack.physical_name}-stack-guide-{noun}"


def training_progress(engine: Engine, stack: Stack) -> int:
    """Steps that the running training has logged."""
    try:
        container = engine.client.containers.get(step(stack, "sft"))
        if container.status != "running":
            return 0
        folder = container.attrs["Config"]["Labels"]["finetune-stack.identity"]
        log = container.exec_run(f"tail -n 1 /app/output/runs/{folder}.partial/trainer_log.jsonl")
        last = json.loads(cast(bytes, log.output)) if log.exit_code == 0 else {}
        return int(last.get("current_steps", 0))
    except (docker.errors.NotFound, docker.errors.APIError, json.JSONDecodeError):
        return 0


def trained_answer(stack: Stack) -> tuple[str, str]:
    """A question of the training data and its answer."""
    with open(stack.settings["datasets"][0]["file"], encoding="utf-8") as file:  # noqa: PTH123
        row = json.load(file)[0]
    return row["instruction"], row["output"]


def images_of(stack: Stack) -> dict[str, str]:
    """The image of each role, and their bases."""
    kinds = {"Image": "imageName", "RemoteImage": "name"}
    return {
        resource["urn"].rpartition("pipeline-images-")[2]: resource["inputs"][kinds[kind]]
        for resource in stack.resources()
        if (kind := resource["type"].rpartition(":")[2]) in kinds
    }


def trained_in_the_board(engine: Engine, stack: Stack) -> list[str]:
    """What the Board offers as adapters of its custom model, from the directory it works in."""
    board = engine.containers(stack)[f"{stack.physical_name}-board"]
    ask = "from llamafactory.webui.control import list_checkpoints as ls; import os, json; "
    ask += 'os.chdir("/proc/1/cwd"); print("found", json.dumps(ls("Custom", "lora").choices))'
    said = board.exec_run(["python", "-c", ask]).output.decode()
    (line,) = [line for line in said.splitlines() if line.startswith("found")]
    return [name for name, _ in json.loads(line.removeprefix("found"))]


class TestDemo:
    @pytest.mark.capability("F1", "F3", "F7", "D1", "D2", "D3", "D4", "T2", "E2", "E3", "E4", "E5")
    def test_one_up_leads_to_a_model_that_answers(self, stack: Stack, engine: Engine):
        succeeded(stack.up())
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer
        assert stack.outputs()["models"] == {"stack-guide": "stack-guide:latest"}

    def test_the_answer_of_the_smoke_prompt_is_an_output(self, stack: Stack):
        (given,) = stack.outputs()["smoke_answers"]
        assert stack.model["ollama_model"]["smoke_prompts"][0]["expect"] in given["answer"]

    def test_every_conversation_has_the_tokens_of_the_training(self, stack: Stack):
        parity = stack.outputs()["parity"]["stack-guide"]
        assert parity == {
            "compared": parity["compared"],
            "equal": parity["compared"],
            "different": {},
        }
        assert parity["compared"] >= 10

    def test_the_training_converged_and_its_figures_are_outputs(self, stack: Stack):
        (results,) = stack.outputs()["training_results"].values()
        assert results["train_loss"] < 2

    @pytest.mark.capability("T1")
    def test_the_board_answers_on_its_url(self, stack: Stack):
        assert "LLaMA" in httpx.get(stack.outputs()["board_url"], timeout=30).text

    def test_only_the_services_keep_running(self, stack: Stack, engine: Engine):
        assert set(engine.containers(stack)) == {
            f"{stack.physical_name}-ollama-server",
            f"{stack.physical_name}-board",
        }

    def test_no_service_has_more_powers_than_it_needs(self, stack: Stack, engine: Engine):
        for name, container in engine.containers(stack).items():
            status = container.exec_run(["cat", "/proc/1/status"]).output.decode().split()
            assert status[status.index("CapEff:") + 1] == "0" * 16, name
            assert status[status.index("NoNewPrivs:") + 1] == "1", name
            assert container.exec_run(["touch", "/x"]).exit_code != 0, name

    def test_a_second_up_changes_nothing_and_starts_nothing(self, stack: Stack, engine: Engine):
        moment = time.time()
        update = succeeded(stack.up())
        assert changed(update) == {}
        assert engine.started_since(stack, moment) == []

    def test_a_refresh_finds_no_drift(self, stack: Stack):
        update = succeeded(stack.refresh())
        assert changed(update) == {}
        assert changed(succeeded(stack.up())) == {}

    def test_a_preview_has_no_side_effects(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.run["learning_rate"] = 0.5
        preview = stack.preview()
        stack.run["learning_rate"] = 0.003
        assert preview.returncode == 0, preview.stdout
        assert engine.started_since(stack, moment) == []
        assert changed(succeeded(stack.up())) == {}

    @pytest.mark.capability("T2")
    def test_a_different_training_is_foretold_by_the_one_that_has_run(self, stack: Stack):
        first = stack.outputs()["forecast"]["stack-guide-sft"]
        assert first.keys() == {"steps", "tokens"}, "nobody knew the time of the first"
        assert first["steps"] == stack.run["max_steps"]
        stack.run["max_steps"] *= 5
        preview = stack.preview().stdout
        stack.run["max_steps"] //= 5
        assert re.search(
            r"stack-guide, sft: 300 steps of 8 rows, about [\d.]+ thousand tokens; "
            r"about \d+ (s|min), going by 1 earlier training of this model by this method",
            preview,
        ), preview


class TestChat:
    """`make chat` is Ollama's own, through the engine."""

    def command(self, stack: Stack, *model: str) -> list[str]:
        return [sys.executable, "-m", "toolchain", "chat", stack.name, *model]

    def test_at_a_terminal_with_history_to_its_end(self, stack: Stack):
        question, answer = trained_answer(stack)
        with Terminal(self.command(stack), stack.environment) as terminal:
            terminal.see(b">>> ")
            terminal.press(f"{question}\r".encode())
            terminal.see(answer.encode())
            terminal.see(b">>> ")
            # An interrupt ends a line, and no conversation.
            terminal.press(b"\x03")
            terminal.see(b"/bye to exit")
            terminal.press(b"\x1b[A\r")
            terminal.see(question.encode())
            # The second answer knows the first: a model this small has never seen two turns of it.
            terminal.see(b">>> ")
            terminal.press(b"\x04")
            assert terminal.end() == 0

    def test_in_a_pipe(self, stack: Stack):
        question, answer = trained_answer(stack)
        said = subprocess.run(
            self.command(stack, "stack-guide"),
            cwd=PROJECT,
            env=stack.environment,
            input=question,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (said.returncode, said.stdout.strip(), said.stderr) == (0, answer, "")


class TestChanges:
    def test_temperature_makes_the_ollama_model_alone_again(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.model["ollama_model"]["parameters"]["temperature"] = 0.01
        update = succeeded(stack.up())
        assert changed(update) == {"update": 1}
        assert engine.started_since(stack, moment) == []

    def test_going_back_trains_nothing(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.model["ollama_model"]["parameters"]["temperature"] = 0
        succeeded(stack.up())
        assert engine.started_since(stack, moment) == []
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer

    def test_a_model_that_fails_its_prompt_does_not_replace_the_one_that_answers(
        self, stack: Stack, engine: Engine
    ):
        question, answer = trained_answer(stack)
        (prompt,) = stack.model["ollama_model"]["smoke_prompts"]
        expected = prompt["expect"]
        prompt["expect"] = "the moon is made of cheese"
        update = stack.up()
        prompt["expect"] = expected
        assert update.returncode != 0
        assert "the moon is made of cheese" in update.output
        assert ask(stack, question) == answer
        succeeded(stack.up())

    def test_a_model_deleted_by_hand_is_made_again_without_training(
        self, stack: Stack, engine: Engine
    ):
        moment = time.time()
        url = stack.outputs()["ollama_url"]
        httpx.request(
            "DELETE", f"{url}/api/delete", json={"model": "stack-guide"}
        ).raise_for_status()
        update = succeeded(stack.up())
        assert changed(update) == {"update": 1}
        assert engine.started_since(stack, moment) == []
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer
        assert changed(succeeded(stack.up())) == {}

    @pytest.mark.capability("T1")
    def test_the_boards_train_tab_trains(self, stack: Stack, engine: Engine):
        board = engine.containers(stack)[f"{stack.physical_name}-board"]
        # Of an adapter it has the tokenizer alone.
        found = board.exec_run(["sh", "-c", "dirname /app/output/runs/*/config.json"])
        model, dataset = found.output.decode().split()[0], stack.settings["datasets"][0]["name"]
        given = [model, stack.model["template"], dataset, "by-hand"]
        trained = board.exec_run(["python", "-c", BOARD_TRAINING.read_text(), *given])
        assert trained.exit_code == 0, trained.output.decode()
        assert trained_in_the_board(engine, stack) == ["by-hand"], trained.output.decode()

    def test_a_service_removed_by_hand_comes_back(self, stack: Stack, engine: Engine):
        engine.containers(stack)[f"{stack.physical_name}-board"].remove(force=True)
        succeeded(stack.refresh())
        # Its container, and the step that waits until it answers.
        assert changed(succeeded(stack.up())) == {"create": 1, "update": 1}
        assert "LLaMA" in httpx.get(stack.outputs()["board_url"], timeout=30).text

    def test_what_the_board_has_trained_is_still_there(self, stack: Stack, engine: Engine):
        assert trained_in_the_board(engine, stack) == ["by-hand"]

    @pytest.mark.parametrize("gone", ["removed", "stopped"])
    def test_a_server_that_is_gone_comes_back_without_a_refresh(
        self, stack: Stack, engine: Engine, gone: str
    ):
        server = engine.containers(stack)[f"{stack.physical_name}-ollama-server"]
        server.remove(force=True) if gone == "removed" else server.stop()
        assert changed(succeeded(stack.up())) == {"replace": 1, "update": 1}
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer
        assert changed(succeeded(stack.up())) == {}

    def test_a_volume_removed_by_hand_is_never_made_in_silence(self, stack: Stack, engine: Engine):
        board, stack.settings["board"] = stack.settings["board"], {"enabled": False}
        succeeded(stack.up())
        volume = f"{stack.physical_name}-data"
        engine.client.volumes.get(volume).remove()
        update = stack.up()
        assert update.returncode != 0
        assert f"volume {volume} is gone" in update.output
        assert volume not in engine.volumes(stack)
        succeeded(stack.refresh())
        stack.settings["board"] = board
        succeeded(stack.up())
        assert volume in engine.volumes(stack)
        assert changed(succeeded(stack.up())) == {}


class TestInterruptions:
    def test_a_killed_training_resumes_from_its_checkpoint(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.run["learning_rate"] = 0.0031

        def far_enough() -> bool:
            if training_progress(engine, stack) <= stack.run["save_steps"]:
                return False
            engine.client.containers.get(step(stack, "sft")).kill()
            return True

        stack.up_until(far_enough, then=signal.SIGTERM)
        update = succeeded(stack.up())
        assert "resumes from what an interrupted run left" in update.output
        started = engine.started_since(stack, moment)
        # A changed learning rate is for training onwards: no image is built, no base model made.
        assert started == [step(stack, noun) for noun in ("sft", "sft", "merge", "gguf-conversion")]
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer

    def test_a_killed_cli_leaves_the_training_running_and_the_next_up_attaches(
        self, stack: Stack, engine: Engine
    ):
        moment = time.time()
        stack.run["learning_rate"] = 0.0032
        stack.up_until(lambda: training_progress(engine, stack) > 1, then=signal.SIGKILL)
        container = engine.client.containers.get(step(stack, "sft"))
        assert container.status == "running"
        succeeded(stack.up())
        assert engine.started_since(stack, moment).count(step(stack, "sft")) == 1
        assert changed(succeeded(stack.up())) == {}

    def test_an_earlier_setting_converges_without_a_container(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.run["learning_rate"] = 0.003
        succeeded(stack.up())
        assert engine.started_since(stack, moment) == []
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer


class TestReport:
    """The page of a stack that was trained under several settings (O3)."""

    def test_it_shows_what_the_steps_left(self, stack: Stack, engine: Engine, report: Path):
        moment = time.time()
        made = make_report(stack, report)
        assert made.returncode == 0, made.stderr
        # One container that only reads, and one for each image; they are gone.
        assert len(engine.started_since(stack, moment)) == 1 + len(images_of(stack))
        assert set(engine.containers(stack)) == {
            f"{stack.physical_name}-ollama-server",
            f"{stack.physical_name}-board",
        }
        assert changed(succeeded(stack.up())) == {}

    @pytest.mark.capability("O3")
    def test_what_is_in_each_image_lies_beside_it_and_is_read_once(
        self, stack: Stack, engine: Engine, report: Path, browser: Browser
    ):
        names = {path.name.removesuffix(".cdx.json") for path in report.parent.glob("sbom/*")}
        assert names == images_of(stack).keys() >= {"llamafactory", "converter", "ollama"}
        with browser.page(LOOKS[0]) as page:
            page.goto(report.as_uri())
            links = page.locator("#versions a[href^=sbom]").evaluate_all(
                "all => all.map(a => a.href)"
            )
            assert all(Path(link.removeprefix("file://")).is_file() for link in links)
            assert len(links) == len(names)
        before = {path: path.read_bytes() for path in report.parent.glob("sbom/*")}
        moment = time.time()
        assert make_report(stack, report).returncode == 0
        assert len(engine.started_since(stack, moment)) == 1
        assert {path: path.read_bytes() for path in report.parent.glob("sbom/*")} == before

    def test_an_image_that_was_removed_is_told(self, stack: Stack, tmp_path: Path):
        reference = images_of(stack)["converter"]
        gone = stack.exported().replace(reference, "finetune-stack/converter:gone")
        made = make_report(stack, tmp_path / "index.html", state=gone)
        assert made.returncode == 0, made.stderr
        assert (
            "finetune-stack/converter:gone</th><td colspan" in (tmp_path / "index.html").read_text()
        )
        assert not (tmp_path / "sbom/converter.cdx.json").exists()

    def test_it_is_read_in_every_light_and_on_a_phone(
        self, stack: Stack, report: Path, browser: Browser
    ):
        question, _ = trained_answer(stack)
        for look in LOOKS:
            with browser.page(look) as page:
                page.goto(report.as_uri())
                assert page.title() == f"{stack.name}: report"
                assert page.locator("#models").get_by_text(question).is_visible()
                plot = page.locator(".plot").first.bounding_box()
                assert plot is not None
                assert plot["height"] > 100
                assert page.evaluate("document.documentElement.scrollWidth") <= look.width
                assert browser.requests == [report.as_uri()], "nothing is loaded from elsewhere"
                assert browser.complaints == []
                assert accessibility_violations(page) == []

    def test_it_tells_what_changed_since_the_run_before(self, report: Path, browser: Browser):
        with browser.page(LOOKS[0]) as page:
            page.goto(report.as_uri())
            rates = page.locator("#changes tr", has_text="learning_rate")
            assert rates.locator("ins").inner_text() == "0.003"
            assert float(rates.locator("del").inner_text()) in (0.0031, 0.0032)
            assert page.locator("#training .course.earlier").count() == 1

    def test_it_has_the_settings_and_the_times(self, stack: Stack, report: Path, browser: Browser):
        with browser.page(LOOKS[0]) as page:
            page.goto(report.as_uri())
            assert "learning_rate: 0.003" in page.locator("#settings").inner_text(), "it is open"
            row = page.locator(
                f"#step-pipeline-{step(stack, 'sft')[len(stack.physical_name) + 1 :]}"
            )
            assert re.fullmatch(r"\d+\.\d s|\d+ min \d\d s", row.locator("td").nth(2).inner_text())

    def test_it_prints_with_everything_open(self, report: Path, browser: Browser):
        with browser.page(LOOKS[0]) as page:
            page.goto(report.as_uri())
            page.emulate_media(media="print")
            assert not page.locator("nav").is_visible()
            assert page.pdf().count(b"/Type /Page\n") >= 3


DAMAGED = (
    "/app/data/files/*/stack_questions.json",
    "/app/output/runs/*/adapter_model.safetensors",
    "/app/output/runs/*/model.safetensors",
    "/app/output/runs/*/model.gguf",
    "/root/.ollama/models/blobs/sha256-*",
)
"""Data, adapter, base and merged weights, GGUF, the layers that Ollama serves."""

FLIP = """
import glob, sys
at, patterns = int(sys.argv[1]), sys.argv[2:]
for path in sorted(path for pattern in patterns for path in glob.glob(pattern)):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    print(path)
"""


def flip_one_bit(stack: Stack, engine: Engine, *patterns: str) -> list[str]:
    """In each file; the files. Done twice, nothing has happened."""
    (image,) = (
        resource["outputs"]["imageName"]
        for resource in stack.resources()
        if resource["urn"].endswith("pipeline-images-llamafactory")
    )
    volumes = {"data": "/app/data", "output": "/app/output", "ollama": "/root/.ollama"}
    said = engine.client.containers.run(
        image,
        ["python", "-c", FLIP, "40", *patterns],
        volumes=[f"{stack.physical_name}-{role}:{place}" for role, place in volumes.items()],
        network_mode="none",
        remove=True,
    )
    return said.decode().split()


class TestProvenance:
    """Where the model comes from, signed, and every byte that is not as it was (O3)."""

    @pytest.mark.capability("O3")
    def test_what_was_signed_is_what_is_there(self, stack: Stack, report: Path, key: Path):
        made = make_report(stack, report, "--sign", "--key", key)
        assert made.returncode == 0, made.stderr
        found = make_report(stack, report, "--verify", "--key", key)
        assert (found.returncode, found.stdout) == (0, "stack-guide: as it was signed\n")
        envelope = json.loads((report.parent / "stack-guide/provenance.intoto.json").read_text())
        told = json.loads(base64.b64decode(envelope["payload"]))
        bills = told["predicate"]["runDetails"]["byproducts"]
        assert {bill["name"] for bill in bills} == {
            "sbom/llamafactory.cdx.json",
            "sbom/converter.cdx.json",
        }
        for bill in bills:
            content = (report.parent / bill["name"]).read_bytes()
            assert bill["digest"]["sha256"] == hashlib.sha256(content).hexdigest()

    @pytest.mark.capability("O3")
    def test_one_bit_in_any_input_or_artefact_is_found(
        self, stack: Stack, engine: Engine, report: Path, key: Path
    ):
        envelope = json.loads((report.parent / "stack-guide/provenance.intoto.json").read_text())
        told = base64.b64decode(envelope["payload"]).decode()
        flipped = flip_one_bit(stack, engine, *DAMAGED)
        try:
            found = make_report(stack, report, "--verify", "--key", key)
        finally:
            flip_one_bit(stack, engine, *DAMAGED)
        signed = [path for path in flipped if f'"{path}"' in told]
        assert len(signed) >= 7, flipped
        assert found.returncode == 1
        differences = re.findall(r"^  (\S+) has other bytes", found.stdout, re.MULTILINE)
        assert differences == signed
        assert make_report(stack, report, "--verify", "--key", key).returncode == 0

    def test_the_card_is_one_to_the_hubs_own_library(
        self, stack: Stack, engine: Engine, report: Path
    ):
        (image,) = (
            resource["outputs"]["imageName"]
            for resource in stack.resources()
            if resource["urn"].endswith("pipeline-images-llamafactory")
        )
        read = (
            "import json, sys; from huggingface_hub import ModelCard;"
            "print(json.dumps(ModelCard(sys.argv[1]).data.to_dict()))"
        )
        card = (report.parent / "stack-guide/model_card.md").read_text()
        said = engine.client.containers.run(
            image, ["python", "-c", read, card], network_mode="none", remove=True
        )
        data = json.loads(said)
        assert data["library_name"] == "transformers"
        assert "lora" in data["tags"]


class TestDestroy:
    def test_destroy_keeps_what_the_settings_retain(self, stack: Stack, engine: Engine):
        stack.settings["volumes"]["output"]["retain"] = True
        succeeded(stack.up())
        succeeded(stack.destroy())
        assert engine.volumes(stack) == {f"{stack.physical_name}-output"}
        assert engine.containers(stack) == {}
        assert engine.networks(stack) == set()

    def test_the_next_up_adopts_it_and_trains_nothing(self, stack: Stack, engine: Engine):
        moment = time.time()
        stack.settings["volumes"]["output"]["retain"] = False
        succeeded(stack.up())
        assert not [name for name in engine.started_since(stack, moment) if name.endswith(STAGES)]
        question, answer = trained_answer(stack)
        assert ask(stack, question) == answer

    def test_destroy_leaves_nothing_behind(self, stack: Stack, engine: Engine):
        succeeded(stack.destroy())
        assert engine.containers(stack) == {}
        assert engine.volumes(stack) == set()
        assert engine.networks(stack) == set()
        assert stack.resources() == []
