"""What a model is asked in Ollama is, to the letter, what it was trained on (E4).

The expected texts are written out from LLaMA-Factory 0.9.5, `data/template.py`: the slots of each
template with a system text, a question and an answer filled in. The token that begins a sequence is
left out, because Ollama's tokenizer adds it.
"""

import re
from typing import get_args

import pytest

from planning.chat_template import OLLAMA_TEMPLATES
from stack_configs.settings.models import ChatTemplate

SYSTEM, USER, ANSWER = "Be brief.", "Hello?", "Hi."

CHATML = (
    "<|im_start|>system\nBe brief.<|im_end|>\n",
    "<|im_start|>user\nHello?<|im_end|>\n<|im_start|>assistant\n",
    "Hi.<|im_end|>\n",
)
GEMMA = (
    "<start_of_turn>user\nBe brief.\n\nHello?<end_of_turn>\n<start_of_turn>model\n",
    "<start_of_turn>user\nHello?<end_of_turn>\n<start_of_turn>model\n",
    "Hi.<end_of_turn>\n",
)
BY_TURNS = {
    "llama3": (
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\nHello?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "Hi.<|eot_id|>",
    ),
    "chatml": CHATML,
    "qwen": CHATML,
    "qwen3_nothink": CHATML,
    "phi": (
        "<|system|>\nBe brief.<|end|>\n",
        "<|user|>\nHello?<|end|>\n<|assistant|>\n",
        "Hi.<|end|>\n",
    ),
    "phi4": (
        "<|im_start|>system<|im_sep|>Be brief.<|im_end|>",
        "<|im_start|>user<|im_sep|>Hello?<|im_end|><|im_start|>assistant<|im_sep|>",
        "Hi.<|im_end|>",
    ),
}
"""Template: the system's text, the question's, the answer's."""

SYSTEM_IN_FIRST_TURN = {
    "gemma": GEMMA,
    "gemma2": GEMMA,
    "gemma3": GEMMA,
    # The assistant's slot is " {{content}}": the space is the model's to say.
    "mistral": ("[INST] Be brief.\n\nHello?[/INST]", "[INST] Hello?[/INST]", " Hi.</s>"),
}
"""Template (a Llama2Template): the question after a system text, the question alone, the answer."""

STOPS = {
    "llama3": ["<|eot_id|>", "<|eom_id|>"],
    "chatml": ["<|im_end|>", "<|im_start|>"],
    "qwen": ["<|im_end|>"],
    "qwen3_nothink": ["<|im_end|>"],
    "gemma": ["<end_of_turn>"],
    "gemma2": ["<eos>", "<end_of_turn>"],
    "gemma3": ["<end_of_turn>"],
    "phi": ["<|end|>"],
    "phi4": ["<|im_end|>"],
    "mistral": ["</s>"],
}
"""Template: `stop_words`, or the model's own end of sequence where there are none."""


def render(template: str, *, System: str = "", Prompt: str = "", Response: str = "") -> str:
    """The part of Go's text/template that the templates use: `.X` and `if .X`."""
    values = {"System": System, "Prompt": Prompt, "Response": Response}
    text = re.sub(
        r"\{\{ if \.(\w+) \}\}(.*?)\{\{ end \}\}",
        lambda found: found[2] if values[found[1]] else "",
        template,
        flags=re.DOTALL,
    )
    return re.sub(r"\{\{ \.(\w+) \}\}", lambda found: values[found[1]], text)


def generation_prompt(template: str, *, system: str = "") -> str:
    """What the model goes on from: Ollama cuts the template where the response comes."""
    before, found, _ = template.partition("{{ .Response }}")
    assert found
    return render(before, System=system, Prompt=USER)


def test_every_template_of_the_settings_is_known_here_and_there() -> None:
    names = set(get_args(ChatTemplate))
    assert OLLAMA_TEMPLATES.keys() == names
    assert BY_TURNS.keys() | SYSTEM_IN_FIRST_TURN.keys() == names
    assert STOPS.keys() == names


@pytest.mark.parametrize("name", BY_TURNS)
def test_turns_equal_the_training_texts(name: ChatTemplate) -> None:
    template = OLLAMA_TEMPLATES[name].template
    system, user, assistant = BY_TURNS[name]
    assert generation_prompt(template) == user
    assert generation_prompt(template, system=SYSTEM) == system + user
    assert render(template, Prompt=USER, Response=ANSWER) == user + assistant
    whole = render(template, System=SYSTEM, Prompt=USER, Response=ANSWER)
    assert whole == system + user + assistant


@pytest.mark.parametrize("name", SYSTEM_IN_FIRST_TURN)
def test_a_system_text_opens_the_first_question(name: ChatTemplate) -> None:
    template = OLLAMA_TEMPLATES[name].template
    with_system, user, assistant = SYSTEM_IN_FIRST_TURN[name]
    assert generation_prompt(template) == user
    assert generation_prompt(template, system=SYSTEM) == with_system
    said = " Hi." if name == "mistral" else ANSWER
    assert render(template, Prompt=USER, Response=said) == user + assistant
    whole = render(template, System=SYSTEM, Prompt=USER, Response=said)
    assert whole == with_system + assistant


@pytest.mark.parametrize("name", get_args(ChatTemplate))
def test_generation_stops_where_training_stopped(name: ChatTemplate) -> None:
    assert set(STOPS[name]) <= set(OLLAMA_TEMPLATES[name].stop)


def test_qwen_alone_has_a_system_text_of_its_own() -> None:
    assert {name: row.system for name, row in OLLAMA_TEMPLATES.items() if row.system} == {
        "qwen": "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    }


@pytest.mark.parametrize("name", get_args(ChatTemplate))
def test_a_modelfile_can_quote_the_template(name: ChatTemplate) -> None:
    assert '"""' not in OLLAMA_TEMPLATES[name].template
