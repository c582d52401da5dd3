"""Publications: what is pushed to a registry, and under which name others pull it (O6)."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from plan import paths
from plan.model_card import ModelCard
from plan.secret import REGISTRY_PASSWORD
from plan.step import StepPlan

CARD_TYPE = "text/markdown"
"""Media type of the card's layer. Ollama pulls layers that it does not know, and reads none."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """An OCI registry, as the machine with Pulumi reaches it."""

    host: str
    """`host` or `host:port`."""
    insecure: bool = False
    """It speaks HTTP."""
    username: str | None = None
    """None: it lets everybody push."""

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"{'http' if self.insecure else 'https'}://{self.host}"


@dataclass(frozen=True, kw_only=True)
class PublicationStep(StepPlan):
    """The model that has a name in Ollama, pushed to a registry with its card."""

    server: str
    """Name of the Ollama server's container."""
    model_step: str
    """Name of the step that serves the model."""
    served_name: str
    serving: str
    """Identity of the model that has the name."""
    registry: Registry
    repository: str
    """`namespace/name`."""
    tag: str
    card: ModelCard | None
    """Without what only the work can tell. None where an earlier model serves: the card that was
    written for it goes along."""

    @property
    def reference(self) -> str:
        """What `ollama pull` takes."""
        return f"{self.registry.host}/{self.repository}:{self.tag}"

    @property
    def marker(self) -> PurePosixPath:
        """What the store says of the model."""
        return paths.served_marker(self.serving)

    @property
    def card_file(self) -> PurePosixPath:
        """The card, beside that: a model that has its name back is told of as when it was made."""
        return self.marker.parent / paths.MODEL_CARD

    @property
    def manifest(self) -> PurePosixPath:
        """What Ollama serves under the name."""
        return paths.ollama_manifest(self.served_name)

    @property
    def secret_environment(self) -> tuple[str, ...]:
        """Variables that its program gets and no plan holds."""
        return () if self.registry.username is None else (REGISTRY_PASSWORD,)


@dataclass(frozen=True, kw_only=True)
class PublicationResult:
    """What the program of a publication says."""

    reference: str
    digest: str
    """Of the manifest, `sha256:...`: pulled by it, the model is this one for ever."""
