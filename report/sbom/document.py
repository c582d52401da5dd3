"""The bill of materials of one image: the same image gives the same bytes."""

import json
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from plan import labels
from report.look import ImageFacts
from report.sbom.debian import debian_packages, system_of
from report.sbom.go_programs import go_programs
from report.sbom.python_distributions import python_distributions
from runtime.package_records import PackageRecords

EDITION = "1"
"""Of what is read and how it is told: another one makes the document of an image anew."""

TOOL = f"{labels.NAMESPACE} report"


def document_of(image: ImageFacts, records: PackageRecords) -> str:
    """The document, in CycloneDX 1.6."""
    subject = Component(
        type=ComponentType.CONTAINER,
        name=image.reference,
        version=image.id,
        bom_ref=image.id,
        properties=[Property(name=f"{labels.NAMESPACE}:system", value=_system(records))],
    )
    packages = [
        *debian_packages(records.files),
        *python_distributions(records.files),
        *go_programs(records.programs),
        *(_named(purl) for purl in image.contents),
    ]
    tool = Component(type=ComponentType.APPLICATION, name=TOOL, version=EDITION, bom_ref=TOOL)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{labels.NAMESPACE}:{EDITION}:{image.id}"),
        metadata=BomMetaData(
            timestamp=image.created,
            tools=ToolRepository(components=[tool]),
            component=subject,
        ),
        components=packages,
    )
    bom.register_dependency(subject, packages)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def image_of(document: str) -> tuple[str, str, str] | None:
    """Reference and id of the image that a document is of, and its edition; None for any other."""
    try:
        told = json.loads(document)["metadata"]
        (tool,) = told["tools"]["components"]
        image = told["component"]
        return str(image["name"]), str(image["version"]), str(tool["version"])
    except (ValueError, KeyError, TypeError):
        return None


def counts_of(document: str) -> Mapping[str, int]:
    """How many packages of each kind, by the kind's name in package URLs."""
    found: dict[str, int] = {}
    waiting = list(json.loads(document).get("components", ()))
    while waiting:
        component = waiting.pop()
        waiting += component.get("components", ())
        if purl := component.get("purl"):
            kind = PackageURL.from_string(purl).type
            found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items()))


def _system(records: PackageRecords) -> str:
    return system_of(records.files).get("PRETTY_NAME", "")


def _named(text: str) -> Component:
    """What the image's label names."""
    purl = PackageURL.from_string(text)
    return Component(
        name=purl.subpath.rpartition("/")[2] if purl.subpath else purl.name,
        version=purl.version,
        purl=purl,
        bom_ref=text,
    )
