"""The part of docs/support_matrix.md on chat templates: all of the release, and what is proved."""

from collections.abc import Iterator

from planning.chat_shapes import chat_shapes
from planning.ollama_template import Thinking, begins_with_token, ollama_template
from stack_configs.settings.chat_templates import RELEASE, TRAINING_TEMPLATES, TrainingTemplate

HEAD = """
## Chat templates

All {count} templates of LLaMA-Factory {release}, from the release's own table
(`stack_configs/settings/llamafactory_templates.json`). Each is written for Ollama from its slots;
`tests/integration/test_chat_templates.py` compares LLaMA-Factory's encoder with the real server, in
every shape of conversation and for every way to train it. When a model is served, the same shapes
are compared again, token by token, with its own tokenizer (`ollama_model.chat_parity`).

* **begins**: whether a conversation begins with the tokenizer's beginning-of-sequence token.
* **system**: where a system text stands; *default*: the template brings one, which becomes the
  Modelfile's SYSTEM.
* **thoughts**: the template writes them; Ollama tells them apart. With `enable_thinking: false` in
  the run's arguments the model answers without.
* **tools**: what clients offer is listed as in training, and Ollama tells the model's calls apart
  (`ollama show` lists `tools`). Names of parameters and arguments are written in order, as Ollama
  sorts them, with type, description and enum: training data that differs is asked otherwise. A data
  set with tools on a template without is refused in preview. *if taught*: the format is
  LLaMA-Factory's own, and served where the training data has tools (`columns.tools`).
* **reads**: *media* needs the base model's own processor of images, video or sound in training;
  what Ollama is asked is compared for texts.
* **shapes**: conversations that are compared.
"""


def lines() -> Iterator[str]:
    """The section, line by line."""
    yield HEAD.format(count=len(TRAINING_TEMPLATES), release=RELEASE)
    yield "| template | begins | system | thoughts | tools | reads | shapes |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for template in TRAINING_TEMPLATES.values():
        yield f"| {' | '.join(_cells(template))} |"


def _cells(template: TrainingTemplate) -> Iterator[str]:
    made = ollama_template(template, Thinking(), taught_tools=True)
    place = "first question" if template.system_opens_first_turn else "before"
    yield f"`{template.name}`"
    yield "yes" if begins_with_token(template) else "no"
    yield f"{place}, default" if template.default_system else place
    yield "yes" if made.thinks else "no"
    yield _tools(template)
    yield "media" if template.reads_media else "texts"
    yield str(sum(1 for _ in chat_shapes(template, thinks=made.thinks, calls=made.calls)))


def _tools(template: TrainingTemplate) -> str:
    if template.tools_refused:
        return f"no: {template.tools_refused}"
    return "if taught" if template.call_format == "default" else "yes"
