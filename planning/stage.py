"""A stage: a step that finishes, runs in its own container and leaves an artefact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from planning import paths
from planning.container import ContainerPlan, Mount

OUTPUT_MOUNT = Mount(volume="output", target=str(paths.OUTPUT))
"""Where every stage leaves its artefact; all that most of them need."""

BUNDLED_LIBGOMP = " ".join(
    f"{root}/lib/python3*/{packages}/{wheel}.libs/libgomp*.so*"
    for wheel in ("scikit_learn", "sentencepiece")
    for root in ("/opt/venv", "/opt/conda", "/usr/local")
    for packages in ("site-packages", "dist-packages")
)
"""Where wheels bring their own OpenMP runtime in the images of the hardware variants."""


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """One step of one model, as `runtime/stage.py` converges it."""

    noun: str
    """What it is, as in the component's name: base-model, training-run, merge, gguf-conversion."""
    name: str
    """Unique in the stack; becomes the container's name."""
    title: str
    """What the operator reads while it runs."""
    fingerprint: str
    container: ContainerPlan
    files: Mapping[str, str] = field(default_factory=dict)
    """Rendered configuration: path below the artefact's folder -> content."""
    uploads: Mapping[str, str] = field(default_factory=dict)
    """Files of this machine that the container reads: path below the artefact's folder -> path
    from the project's folder."""
    progress_log: str | None = None
    """LLaMA-Factory's trainer_log.jsonl, below the artefact's folder."""
    results: str | None = None
    """JSON file of figures that become outputs, below the artefact's folder."""
    secret_environment: tuple[str, ...] = ()
    """Variables that the container gets and no plan holds."""
    preload: str | None = BUNDLED_LIBGOMP
    """Library (globs) to preload when the static TLS block is exhausted (F5)."""
    deadline_seconds: int = 72 * 3600

    @property
    def artefact(self) -> PurePosixPath:
        """Where the finished work lies in the output volume."""
        return paths.artefact(self.fingerprint)

    @property
    def marker(self) -> PurePosixPath:
        """The file in it that vouches for it."""
        return self.artefact / paths.MARKER

    @property
    def partial(self) -> PurePosixPath:
        """Where it is made."""
        return paths.partial(self.fingerprint)


def then_complete(fingerprint: str, *commands: str) -> tuple[str, ...]:
    """A shell command line: the commands in order, then the folder gets its final name.

    The rename happens inside the container, so that a step completes with nobody watching.
    """
    rename = f"mv {paths.partial(fingerprint)} {paths.artefact(fingerprint)}"
    return ("sh", "-ec", "; ".join((*commands, rename)))
