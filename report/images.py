"""The images of a stack: how large each is, what is in it, and by what it is known for certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from report.look import HostSight
from report.sbom.bills import Bill
from report.words import UNKNOWN, size

GONE = "no more on the engine; the next up makes it again where something needs it"
KINDS = {"deb": "Debian", "pypi": "Python", "golang": "Go"}
"""Of packages, by their names in package URLs."""


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One image in the table of images."""

    reference: str
    size: str = UNKNOWN
    digest: str = UNKNOWN
    packages: str = UNKNOWN
    """How many of each kind, or why nobody can say."""
    sbom: str = ""
    """The bill of materials, from the page's folder; empty where there is none."""
    is_gone: bool = False


def image_rows(sight: HostSight, bills: Sequence[Bill]) -> Iterator[ImageRow]:
    """Every image that the state names, those that are gone last."""
    by_reference = {bill.reference: bill for bill in bills}
    for image in sight.images:
        bill = by_reference.get(image.reference)
        yield ImageRow(
            reference=image.reference,
            size=size(image.bytes),
            digest=image.repo_digest or image.id,
            packages=_told(bill) if bill else UNKNOWN,
            sbom=bill.path if bill and not bill.problem else "",
        )
    for reference in sight.missing_images:
        yield ImageRow(reference=reference, packages=GONE, is_gone=True)


def _told(bill: Bill) -> str:
    if bill.problem:
        return bill.problem
    told = {KINDS.get(kind, "other"): 0 for kind in (*KINDS, *bill.counts) if kind in bill.counts}
    for kind, count in bill.counts.items():
        told[KINDS.get(kind, "other")] += count
    return ", ".join(f"{count} {name}" for name, count in told.items()) or UNKNOWN
