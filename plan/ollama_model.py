"""Ollama models: what is made, proved and asked before it is served (E4, E5, O2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from plan import paths
from plan.chat_parity import ChatParity
from plan.evaluation import Evaluation, EvaluationSummary, ToolCall
from plan.secret import JUDGE_KEY
from plan.step import StepPlan

KEPT = "kept-"
"""Begins the tag of a model that was superseded and stays."""


@dataclass(frozen=True, kw_only=True)
class SmokePrompt:
    """A question that a new model must answer before it is served."""

    prompt: str
    expect: str = ""
    """Text that the answer must contain."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Offered with the question."""
    expect_tool_call: ToolCall | None = None


@dataclass(frozen=True, kw_only=True)
class OllamaModelStep(StepPlan):
    """A model made in Ollama's store, compared with its training, asked, and given its name."""

    identity: str
    server: str
    """Name of the Ollama server's container."""
    served_name: str
    """`name:tag`."""
    modelfile: str
    quantize: str | None = None
    """Quantization that `ollama create` makes; None when the GGUF file has it already."""
    chat_parity: ChatParity | None = None
    """None in what an earlier version left in a state."""
    smoke_prompts: tuple[SmokePrompt, ...] = ()
    thought_words: tuple[str, ...] = ()
    """What encloses the thoughts of a model that was trained to think: no answer may hold it."""
    evaluation: Evaluation | None = None
    keep: int = 0
    """Superseded models of the name that stay in the store."""
    rollback_to: str | None = None
    """Identity of a kept model that serves in this one's place."""
    deadline_seconds: int = 3600
    """For creating, quantizing and asking; an evaluation has its own."""

    @property
    def serving(self) -> str:
        """Identity of the model that is to have the name."""
        return self.rollback_to or self.identity

    @property
    def marker(self) -> PurePosixPath:
        """The file in the store that vouches for it."""
        return paths.served_marker(self.serving)

    @property
    def manifest(self) -> PurePosixPath:
        """What Ollama serves under the name."""
        return paths.ollama_manifest(self.served_name)

    @property
    def kept_manifest(self) -> PurePosixPath:
        """Where it lies while another model has the name."""
        return paths.ollama_manifest(kept_name(self.served_name, self.serving))

    @property
    def secret_environment(self) -> tuple[str, ...]:
        """Variables that its program gets and no plan holds."""
        judged = self.evaluation is not None and self.evaluation.judge is not None
        return (JUDGE_KEY,) if judged else ()


def kept_name(served_name: str, identity: str) -> str:
    """The name of a model that was superseded and stays: `guide:latest` -> `guide:kept-...`."""
    return f"{served_name.partition(':')[0]}:{KEPT}{identity}"


def is_kept_name(name: str) -> bool:
    """Whether a model has such a name."""
    return name.partition(":")[2].startswith(KEPT)


@dataclass(frozen=True, kw_only=True)
class OllamaModelResult:
    """What the program of an Ollama model says, likewise."""

    identity: str = ""
    """Of the model that serves; empty in what an earlier version said."""
    model: str
    """Served name."""
    answers: tuple[Mapping[str, str], ...] = ()
    """To the smoke prompts: `prompt` and `answer`, `thoughts` and `tool_call` where there are."""
    parity: Mapping[str, str] = field(default_factory=dict)
    evaluation: EvaluationSummary | None = None
    """Both as the marker has them."""
    kept: tuple[Mapping[str, str], ...] = ()
    """Superseded models that can be rolled back to, the last one first: `identity`, `model` (its
    name), `superseded_at`."""
