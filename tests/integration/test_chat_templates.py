"""Every chat template of the release in every shape: LLaMA-Factory against Ollama (E4).

LLaMA-Factory's own encoder says what training would be, the real Ollama server what it would ask.
A tokenizer of letters on the one side and the server's rendering on the other make it a comparison
of texts; that the tokens are equal too is proved for each model when it is served.
"""

import itertools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from plan.image import ImagesPlan
from planning.base_model import render_parameters
from planning.chat_shapes import ChatShape, chat_shapes
from planning.ollama_template import (
    TOKENIZER_TOKENS,
    OllamaTemplate,
    Thinking,
    begins_with_token,
    ollama_template,
)
from planning.tool_syntax import TODAY
from runtime.docker.archive import tar_stream
from stack_configs.settings.base_model import GeneratedModelSettings
from stack_configs.settings.chat_templates import (
    BEGIN,
    CONTENT,
    END,
    TABLE,
    TRAINING_TEMPLATES,
    Slot,
    Token,
    TokenizerToken,
    TrainingTemplate,
)
from tests.integration.conftest import Engine

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

PROJECT = Path(__file__).parents[2]
BEGINS, ENDS = "<begin!>", "<end!>"
WRITTEN = {
    TOKENIZER_TOKENS[BEGIN]: BEGINS,
    TOKENIZER_TOKENS[END]: ENDS,
    TODAY: datetime.now(UTC).strftime("%d %b %Y"),
}
SIZE = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "layers": 1,
    "attention_heads": 2,
    "vocabulary_size": 300,
}
PORT = 11434


@dataclass(frozen=True, kw_only=True)
class Case:
    """A template as one kind of run trains it."""

    template: TrainingTemplate
    thinking: Thinking = field(default_factory=Thinking)
    one_turn: bool = False
    preserve_thinking: bool = False

    @property
    def key(self) -> str:
        how = self.thinking
        return f"{self.template.name} {how.enable_thinking} {how.history} {self.one_turn}"

    @property
    def ollama(self) -> OllamaTemplate:
        return ollama_template(self.template, self.thinking, taught_tools=True)

    @property
    def shapes(self) -> list[ChatShape]:
        return list(chat_shapes(self.template, thinks=self.ollama.thinks, calls=self.ollama.calls))

    def as_request(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "template": self.template.name,
            "enable_thinking": self.thinking.enable_thinking,
            "preserve_thinking": self.preserve_thinking,
            "one_turn": self.one_turn,
            "discards_history": self.thinking.history == "dropped",
            "begin": BEGINS,
            "end": ENDS,
            "shapes": [asdict(shape) for shape in self.shapes],
        }


def cases_of(template: TrainingTemplate) -> Iterator[Case]:
    """Every way to train it: one, but for those that write thoughts."""
    if not template.reasons:
        yield Case(template=template)
        return
    for enabled in (True, False, None):
        for history, one_turn in (("written", False), ("dropped", False), ("dropped", True)):
            thinking = Thinking(enable_thinking=enabled, history=history)  # type: ignore[arg-type]
            yield Case(template=template, thinking=thinking, one_turn=one_turn)
    kept = Thinking(enable_thinking=True, history="kept")
    yield Case(template=template, thinking=kept, one_turn=True, preserve_thinking=True)


CASES = [case for template in TRAINING_TEMPLATES.values() for case in cases_of(template)]


class Ollama:
    """One server with one model file, and a model for each template that is asked of it."""

    def __init__(self, container: Any, url: str) -> None:
        self._container = container
        self._client = httpx.Client(base_url=url, timeout=120)
        self._models: dict[OllamaTemplate, str] = {}

    def wait(self) -> None:
        for _ in range(100):
            try:
                self._client.get("/").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server does not answer")

    def close(self) -> None:
        self._client.close()

    def create(self, templates: Iterable[OllamaTemplate]) -> None:
        """Make a model of each by a Modelfile, as the stack does."""
        new = [template for template in dict.fromkeys(templates) if template not in self._models]
        files, script = {}, "set -e\n"
        for number, template in enumerate(new, start=len(self._models)):
            self._models[template] = name = f"model-{number}"
            files[f"{name}.Modelfile"] = modelfile(template).encode()
            script += f"ollama create {name} -f /tmp/{name}.Modelfile >/dev/null 2>/tmp/log || "
            script += f"{{ echo {name}; tail -n 2 /tmp/log; exit 1; }}\n"
        self._container.put_archive("/tmp", b"".join(tar_stream({**files, "all": script.encode()})))
        code, output = self._container.exec_run(["sh", "/tmp/all"])
        assert code == 0, output.decode()

    def renderings(self, asked: Sequence[tuple[OllamaTemplate, ChatShape]]) -> list[str]:
        """What the server would ask the model, for each template and conversation."""
        self.create(template for template, _ in asked)
        different = {self._key(*each): each for each in asked}
        with ThreadPoolExecutor(4) as workers:
            said = dict(
                zip(different, workers.map(self._rendering, different.values()), strict=True)
            )
        return [said[self._key(*each)] for each in asked]

    @staticmethod
    def _key(template: OllamaTemplate, shape: ChatShape) -> str:
        return json.dumps([asdict(template), asdict(shape)])

    def _rendering(self, asked: tuple[OllamaTemplate, ChatShape]) -> str:
        template, shape = asked
        reply = self._client.post(
            "/api/chat",
            json={
                "model": self._models[template],
                "messages": shape.messages,
                **({"tools": shape.tools} if shape.tools else {}),
                **({} if shape.think is None else {"think": shape.think}),
                "_debug_render_only": True,
                "stream": False,
            },
        )
        assert reply.status_code == 200, reply.text
        rendered: str = reply.json()["_debug_info"]["rendered_template"]
        return rendered

    def capabilities(self, template: OllamaTemplate) -> set[str]:
        self.create([template])
        reply = self._client.post("/api/show", json={"model": self._models[template]})
        return set(reply.json()["capabilities"])


def modelfile(template: OllamaTemplate) -> str:
    text = f'FROM /tmp/model.gguf\nTEMPLATE """{template.template}"""\n'
    if template.system:
        text += f'SYSTEM """{template.system}"""\n'
    for name, written in WRITTEN.items():
        text = text.replace(name, written)
    # A tokenizer of letters puts no space before a text.
    return re.sub(r"{{ space_\w+ }}", "", text)


def run(engine: Engine, image: str, script: str, files: Mapping[str, bytes]) -> tuple[bytes, Any]:
    """What a container of the image prints, and the container."""
    container = engine.client.containers.create(
        image,
        ["sh", "-ec", script],
        working_dir="/tmp",
        network_mode="none",
        environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    container.put_archive("/tmp", b"".join(tar_stream(files)))
    container.start()
    code = container.wait(timeout=600)["StatusCode"]
    assert code == 0, container.logs(tail=30).decode()
    return container.logs(stderr=False), container


@pytest.fixture(scope="module")
def trained(engine: Engine, images: ImagesPlan) -> Mapping[str, Mapping[str, str]]:
    """By case and shape: what LLaMA-Factory makes of the conversation."""
    files = {
        "chat_encoding.py": (PROJECT / "in_container/chat_encoding.py").read_bytes(),
        "neutral_encoding.py": Path(__file__).with_name("neutral_encoding.py").read_bytes(),
        "cases.json": json.dumps([case.as_request() for case in CASES]).encode(),
    }
    script = "python neutral_encoding.py cases.json"
    said, container = run(engine, images.llamafactory.reference, script, files)
    container.remove()
    found: Mapping[str, Mapping[str, str]] = json.loads(said.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def ollama(engine: Engine, images: ImagesPlan) -> Iterator[Ollama]:
    """A server with a model of random weights."""
    program = (PROJECT / "in_container/tiny_model.py").read_bytes()
    files = {
        "tiny_model.py": program,
        "size.json": render_parameters(
            GeneratedModelSettings.model_validate(SIZE), "empty"
        ).encode(),
        "data.json": json.dumps([{"text": "Herons wait for a fish at the pond."}] * 9).encode(),
    }
    script = (
        "python tiny_model.py size.json tiny data.json && "
        "convert_hf_to_gguf.py tiny --outfile model.gguf --outtype f16"
    )
    _, made = run(engine, images.converter.reference, script, files)
    pieces, _ = made.get_archive("/tmp/model.gguf")
    server = engine.client.containers.create(
        images.ollama.reference,
        environment={"OLLAMA_HOST": f"0.0.0.0:{PORT}"},
        ports={f"{PORT}/tcp": None},
    )
    try:
        server.put_archive("/tmp", b"".join(pieces))
        made.remove()
        server.start()
        server.reload()
        published = (server.ports[f"{PORT}/tcp"] or [])[0]
        client = Ollama(server, f"http://127.0.0.1:{published['HostPort']}")
        client.wait()
        yield client
        client.close()
    finally:
        server.remove(force=True, v=True)


def expected(case: Case, text: str) -> str:
    """The text of the training, without the token that Ollama's tokenizer writes itself."""
    if not begins_with_token(case.template):
        return text
    assert text.startswith(BEGINS)
    return text.removeprefix(BEGINS)


def test_the_table_is_the_releases(engine: Engine, images: ImagesPlan) -> None:
    program = {"t.py": (PROJECT / "in_container/template_table.py").read_bytes()}
    said, container = run(engine, images.llamafactory.reference, "python t.py", program)
    container.remove()
    assert said.decode() == TABLE.read_text(encoding="utf-8")


def test_every_template_in_every_shape(
    ollama: Ollama, trained: Mapping[str, Mapping[str, str]]
) -> None:
    asked = [(case, shape) for case in CASES for shape in case.shapes]
    rendered = ollama.renderings([(case.ollama, shape) for case, shape in asked])
    different = {
        f"{case.key}, {shape.name}": (text, want)
        for (case, shape), text in zip(asked, rendered, strict=True)
        if text != (want := expected(case, trained[case.key][shape.name]))
    }
    assert not different
    assert len(TRAINING_TEMPLATES) == 121
    assert len(asked) > 3000


def test_models_that_think_or_call_tools_say_so(ollama: Ollama) -> None:
    for case in CASES:
        if case.template.name in ("qwen3", "glm4_7", "gpt_oss", "qwen", "mistral", "phi4_mini"):
            found = ollama.capabilities(case.ollama)
            assert ("thinking" in found) == case.ollama.thinks, case.key
            assert ("tools" in found) == case.ollama.calls, case.key


# --- A planted error in each part of a template is found.

TELLING = (
    *("one turn", "five turns, system", "empty answer"),
    *("thoughts", "thinking off", "tool call and result"),
)
"""Shapes in which an error of any part must show."""


def planted(template: TrainingTemplate) -> Iterator[tuple[str, TrainingTemplate]]:
    """The template with an error in one part: a letter more, a slot less, another order."""
    made = ollama_template(template, Thinking(), taught_tools=True)
    tools = ("observation", "function") if made.calls else ()
    for part in ("prefix", "system", "user", "assistant", *tools):
        slots: tuple[Slot, ...] = getattr(template, part)
        for index, slot in enumerate(slots):
            if isinstance(slot, str):
                for number, wrong in enumerate(_misspelt(slot)):
                    changed = (*slots[:index], wrong, *slots[index + 1 :])
                    yield f"{part} {index}.{number}", _with(template, part, changed)
            elif (isinstance(slot, Token) or slot.name in (BEGIN, END)) and len(slots) > 1:
                without = (*slots[:index], *slots[index + 1 :])
                yield f"{part} {index} is missing", _with(template, part, without)
        if part == "system" and template.system_opens_first_turn:
            continue  # LLaMA-Factory takes the first slot of it alone
        if part in ("prefix", "system"):
            more = (*slots, TokenizerToken(END))
            yield f"{part} has one more", _with(template, part, more)
    if made.calls:
        # ling writes its calls as qwen does.
        other = "default" if template.call_format in ("qwen", "ling") else "qwen"
        yield "call_format", replace(template, call_format=other)
        if not template.tools:
            yield "tool_format", replace(template, tool_format=other)
    yield "default_system", replace(template, default_system=template.default_system + ".")
    if template.reasons:
        first, last = template.thought_words
        yield "thought_words 0", replace(template, thought_words=(first + ".", last))
        yield "thought_words 1", replace(template, thought_words=(first, last + "\n"))
        yield "kind", replace(template, kind="Template")


def _with(template: TrainingTemplate, part: str, slots: tuple[Slot, ...]) -> TrainingTemplate:
    changes: dict[str, Any] = {part: slots}
    return replace(template, **changes)


def _misspelt(slot: str) -> Iterator[str]:
    """The slot with a letter more before its content and after it."""
    head, found, tail = slot.partition(CONTENT)
    yield head + "." + found + tail
    if found:
        yield head + found + " " + tail


def structure(case: Case) -> tuple[object, ...]:
    """What tells one template from another but for the words in it."""
    template = case.template
    return (
        template.kind,
        *(tuple(map(_form, part)) for part in (template.prefix, template.user, template.assistant)),
        template.call_format if case.ollama.calls else None,
    )


def _form(slot: Slot) -> object:
    if not isinstance(slot, str):
        return slot.name if isinstance(slot, TokenizerToken) else Token
    head, found, _ = slot.partition(CONTENT)
    return bool(head.strip()), bool(found)


REPRESENTATIVES = [
    next(same)
    for _, same in itertools.groupby(
        sorted(
            (case for case in CASES if case.thinking == Thinking()),
            key=lambda c: repr(structure(c)),
        ),
        key=lambda case: repr(structure(case)),
    )
]


@pytest.mark.nightly
def test_an_error_in_any_part_is_found(
    ollama: Ollama, trained: Mapping[str, Mapping[str, str]]
) -> None:
    """For one template of each structure: the comparison above would have failed."""
    wrong = [
        (case, where, replace(case, template=template))
        for case in REPRESENTATIVES
        for where, template in planted(case.template)
    ]
    asked = [
        (case, where, w, shape)
        for case, where, w in wrong
        for shape in case.shapes
        if shape.name in TELLING
    ]
    rendered = ollama.renderings([(w.ollama, shape) for _, _, w, shape in asked])
    found = {
        (case.key, where)
        for (case, where, w, shape), text in zip(asked, rendered, strict=True)
        if text
        != trained[case.key][shape.name].removeprefix(
            BEGINS if begins_with_token(w.template) else ""
        )
    }
    assert [
        f"{case.key}: {where}" for case, where, _ in wrong if (case.key, where) not in found
    ] == []
    assert len(wrong) > 100
