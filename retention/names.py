"""What operators call a step: its model and its run, taken from its name on the engine."""

from plan.ollama_model import OllamaModelStep
from report.state import StackState

SUFFIXES = ("merge", "gguf-conversion", "quantization", "base-model", "chat-encoding")
"""Ends of the names of steps that no state knows any more, which are called after their nouns."""


class Names:
    """The names of one stack."""

    def __init__(self, state: StackState) -> None:
        self._prefix = f"{state.owner.stack}-"
        self._nouns = {step.plan.name: step.noun for step in state.steps}
        models = [plan.name for plan in state.plans(OllamaModelStep)]
        # The longest first: a model may be called as another one's beginning.
        self._models = sorted(
            (self._short(name).removesuffix("-ollama-model") for name in models),
            key=len,
            reverse=True,
        )

    def noun_of(self, step: str) -> str:
        """What a step is; of one that no settings name any more, by how it was called."""
        if noun := self._nouns.get(step):
            return noun
        if self._short(step).startswith("base-model-"):
            return "base-model"
        ends = (suffix for suffix in SUFFIXES if step.endswith(f"-{suffix}"))
        return next(ends, "training-run" if step else "")

    def model_of(self, step: str) -> str:
        """The model that a step makes; empty for what several share, and what no model is of."""
        short = self._short(step)
        return next((model for model in self._models if short.startswith(f"{model}-")), "")

    def step_of(self, step: str) -> str:
        """The rest of its name."""
        model = self.model_of(step)
        return self._short(step).removeprefix(f"{model}-" if model else "")

    def _short(self, step: str) -> str:
        return step.removeprefix(self._prefix)
