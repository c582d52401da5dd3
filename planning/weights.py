"""Weights: what a step starts from, and what the loader must be told of them (T3, E2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from stack_configs.settings.training_runs import TrainingRunSettings

WRITTEN_ARGUMENTS = (
    "resize_vocab",
    "add_tokens",
    "add_special_tokens",
    "new_special_tokens_config",
    "init_special_tokens",
    "rope_scaling",
)
"""Arguments that change vocabulary or positions. A whole model holds their effect; an adapter lacks
it, and fits nothing but the model that they make."""

LASTING_ARGUMENTS = (
    "trust_remote_code",
    "use_fast_tokenizer",
    "split_special_tokens",
    "infer_dtype",
    "default_system",
    "tool_format",
)
"""Arguments on how files are read and conversations are written, which no file holds."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model as it is loaded: its own files or an adapter beside them, and the loader's arguments.

    LLaMA-Factory 0.9.5 has them in `hparams/model_args.py` and `hparams/data_args.py`.
    """

    model: str
    """Hub id or path inside the container."""
    revision: str | None = None
    adapter: str | None = None
    loaded_with: Mapping[str, Any] = field(default_factory=dict)
    """What training told the loader; of a whole model, what its files do not hold."""
    trained_length: int | None = None
    """Tokens that the positions were scaled for; None where `rope_scaling` is not in force."""
    fetched_in: str | None = None
    """Artefact of the step that fetched the model into the cache of its hub."""
    made_of: tuple[str, ...] = ()
    """What tells these weights from others: identities of the steps that made them, a commit, a
    digest."""

    @property
    def arguments(self) -> dict[str, Any]:
        """LLaMA-Factory's arguments that load these weights."""
        located = {
            "model_name_or_path": self.model,
            "model_revision": self.revision,
            "adapter_name_or_path": self.adapter,
        }
        return {key: value for key, value in located.items() if value is not None} | dict(
            self.loaded_with
        )

    @property
    def artefacts(self) -> tuple[str, ...]:
        """The artefacts that hold them, as `StepPlan.reads` has it."""
        held_in = (self.fetched_in or self.model, self.adapter)
        return tuple(path for path in held_in if path and PurePosixPath(path).is_absolute())

    @property
    def is_complete(self) -> bool:
        """Whether the files alone make the model: no argument changes vocabulary or positions."""
        return not any(key in self.loaded_with for key in WRITTEN_ARGUMENTS)


def adapted(before: Weights, settings: TrainingRunSettings, *, adapter: str, mark: str) -> Weights:
    """What a LoRA run leaves: the weights that it started from, and its adapter."""
    return Weights(
        model=before.model,
        revision=before.revision,
        adapter=adapter,
        fetched_in=before.fetched_in,
        loaded_with=_told_to_the_loader(before, settings),
        trained_length=settings.cutoff_len if "rope_scaling" in settings.arguments else None,
        made_of=(mark,),
    )


def whole(
    before: Weights, settings: TrainingRunSettings | None = None, *, model: str, mark: str
) -> Weights:
    """What a merge of `before` leaves, or a full or freeze run with these settings."""
    told = _told_to_the_loader(before, settings) if settings else before.loaded_with
    return Weights(
        model=model,
        loaded_with={key: told[key] for key in told if key not in WRITTEN_ARGUMENTS},
        made_of=(mark,),
    )


def _told_to_the_loader(before: Weights, settings: TrainingRunSettings) -> dict[str, Any]:
    own = settings.arguments
    told = (*WRITTEN_ARGUMENTS, *LASTING_ARGUMENTS)
    return {**before.loaded_with, **{key: own[key] for key in told if key in own}}
