"""The proof that a model is asked in the tokens that it was trained on (E4).

Training's side of it is written by LLaMA-Factory's own encoder, with the tokenizer that training
loaded: in the process of the merge, which has all of that in memory, or in a step of its own where
there is no merge. Ollama's side is asked for when the model has been made.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from plan import paths
from plan.chat_parity import ChatParity, ChatRequest
from plan.container import Container
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.chat_shapes import ChatShape, chat_shapes
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    Surroundings,
    offline_environment,
    then_complete,
)
from planning.text_beginnings import beginnings
from planning.trained_chat import TrainedChat
from planning.weights import Weights

PROGRAM = "chat_encoding.py"
TEXT_BEGINNINGS = "text_beginnings.py"
REQUEST = "chat_request.json"
RESULT = "chat_encoding.json"

RECIPE = 1
"""Raise it when the program encodes in another way: an edit of it alone makes nothing again."""


@dataclass(frozen=True, kw_only=True)
class ChatEncoding:
    """What the program is asked for."""

    chat: TrainedChat
    weights: Weights
    """What the first training started from: its tokenizer counts."""

    @property
    def identity(self) -> str:
        """Of the result, wherever it is written."""
        return identity("chat-encoding", RECIPE, self._request({}), self.weights.made_of)

    @property
    def files(self) -> dict[str, str]:
        """The request, as `ContainerStepPlan.files` has it."""
        located = {
            "model_name_or_path": self.weights.model,
            **({"model_revision": self.weights.revision} if self.weights.revision else {}),
        }
        return {REQUEST: json.dumps(self._request(located), ensure_ascii=False, indent=1) + "\n"}

    @property
    def uploads(self) -> dict[str, str]:
        """The programs, likewise."""
        return {name: f"{IN_CONTAINER}/{name}" for name in (PROGRAM, TEXT_BEGINNINGS)}

    def _request(self, located: Mapping[str, str]) -> dict[str, Any]:
        chat = self.chat
        return {
            "arguments": {**located, "template": chat.template.name, **chat.arguments},
            "one_turn": chat.one_turn,
            "discards_history": chat.discards_history,
            "beginnings": {
                each.name: {"begins": each.begins, "ends": each.ends, "space": each.space}
                for each in beginnings(chat.template)
            },
            "shapes": [asdict(shape) for shape in _shapes(chat)],
        }


def plan_chat_encoding(
    encoding: ChatEncoding, *, model: str, around: Surroundings
) -> ContainerStepPlan:
    """The step of a model that is not merged."""
    image = around.images.llamafactory
    mark = identity("chat-encoding-step", image.recipe, encoding.identity)
    folder = paths.partial(mark)
    program, request, result = (folder / name for name in (PROGRAM, REQUEST, RESULT))
    return ContainerStepPlan(
        noun="chat-encoding",
        name=around.name(model, "chat-encoding"),
        title=f"encode conversations as {model} was trained on them",
        identity=mark,
        reads=encoding.weights.artefacts,
        container=Container(
            image=image.reference,
            command=then_complete(mark, f"python {program} {request} {result}"),
            environment=offline_environment(),
            mounts=around.volumes.training_mounts,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        files=encoding.files,
        uploads=encoding.uploads,
        preload=BUNDLED_LIBGOMP,
    )


def plan_chat_parity(
    chat: TrainedChat, *, encoded_in: PurePosixPath, system: str | None, is_required: bool
) -> ChatParity:
    """What is compared. `encoded_in`: artefact with the encoding; `system`: the Modelfile's own."""
    return ChatParity(
        encoding=str(encoded_in / RESULT),
        requests=tuple(
            ChatRequest(name=shape.name, body=_body(shape, chat, system=system))
            for shape in _shapes(chat)
        ),
        is_required=is_required,
    )


def _shapes(chat: TrainedChat) -> tuple[ChatShape, ...]:
    return tuple(chat_shapes(chat.template, thinks=chat.ollama.thinks, calls=chat.ollama.calls))


def _body(shape: ChatShape, chat: TrainedChat, *, system: str | None) -> dict[str, object]:
    messages = list(shape.messages)
    if system is not None and messages[0]["role"] != "system":
        # An own SYSTEM is not what is compared: the conversation has the training's, or none.
        messages.insert(0, {"role": "system", "content": chat.template.default_system})
    return {
        "messages": messages,
        **({"tools": list(shape.tools)} if shape.tools else {}),
        **({"think": shape.think} if shape.think is not None else {}),
    }
