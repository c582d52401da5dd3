"""The facts of a model card, whoever tells them: the state of a stack, or the plan of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plan.step import DatasetFile


@dataclass(frozen=True, kw_only=True)
class CardRun:
    """One training run."""

    title: str
    arguments: Mapping[str, Any]
    """LLaMA-Factory's, by their own names."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What came out, such as `train_loss`."""
    figures_file: str | None = None
    """Where the run leaves them; None where they are told already, or there are none."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What its readers want to know of a model. Facts alone."""

    title: str
    """As the settings call the model."""
    pulled_as: str
    """What `ollama run` takes."""
    identity: str
    base_model: str = ""
    """Its id on its hub; empty for weights that are of no hub."""
    base_page: str = ""
    """Where the hub shows it."""
    commit: str = ""
    """Of the base model; empty where nobody knows it."""
    quantization: str = ""
    system: str = ""
    datasets: tuple[DatasetFile, ...] = ()
    runs: tuple[CardRun, ...] = ()
    weights_bytes: int | None = None
    """Of the GGUF file; None where it is not there to be weighed."""
    parity: Mapping[str, str] = field(default_factory=dict)
    """Conversations compared with training, and how each differs; empty where it does not."""
    answers: tuple[Mapping[str, str], ...] = ()
    """To the smoke prompts: `prompt` and `answer`."""
