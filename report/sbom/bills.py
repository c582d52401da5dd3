"""The bills of materials beside the report: made once for each image, and found there after."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from report.look import HostSight, ImageFacts
from report.sbom.document import EDITION, counts_of, document_of, image_of
from report.state import StackState
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import StepError
from runtime.package_records import read_package_records

FOLDER = "sbom"
MEDIA_TYPE = "application/vnd.cyclonedx+json"


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What is in one image, or why nobody can say."""

    reference: str
    path: str
    """From the page's folder."""
    document: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Packages by kind: `deb`, `pypi`, `golang`, `generic`."""
    problem: str = ""

    @property
    def sha256(self) -> str:
        """Digest of the document."""
        return hashlib.sha256(self.document.encode()).hexdigest()


def bills_of(state: StackState, sight: HostSight, folder: Path, *, anew: bool) -> Sequence[Bill]:
    """That of every image of the stack which the engine has.

    What lies in the folder is taken where it is of the same image, and never when `anew`: who signs
    it has read it.
    """
    engine = Engine(state.engine)
    return in_parallel([partial(_bill, engine, state, each, folder, anew) for each in sight.images])


def _bill(engine: Engine, state: StackState, image: ImageFacts, folder: Path, anew: bool) -> Bill:
    path = f"{FOLDER}/{image.name}.cdx.json"
    document = "" if anew else _made_before(folder / path, image)
    if not document:
        try:
            # By its id: a tag may move meanwhile.
            records = read_package_records(engine, state.owner, image.id)
        except StepError as error:
            return Bill(reference=image.reference, path=path, problem=str(error))
        document = document_of(image, records)
    counts = dict(counts_of(document))
    return Bill(reference=image.reference, path=path, document=document, counts=counts)


def _made_before(path: Path, image: ImageFacts) -> str:
    try:
        document = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    return document if image_of(document) == (image.reference, image.id, EDITION) else ""
