"""Python's distributions, by the metadata that each has in the folder that it lies in."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import PurePosixPath

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from packageurl import PackageURL

FOLDERS = ("site-packages", "dist-packages")
"""What pip lists lies directly in one of these; what a distribution carries in it, deeper."""

METADATA = ("METADATA", "PKG-INFO")
CLASSIFIER = "License :: "


def python_distributions(records: Mapping[str, bytes]) -> Iterator[Component]:
    """Each distribution of each folder; one name may have several versions in an image."""
    for name, content in sorted(records.items()):
        path = PurePosixPath(name)
        # Older tools leave one file in place of a folder.
        place = path.parent if path.name in METADATA else path
        if place.suffix not in (".dist-info", ".egg-info") or place.parent.name not in FOLDERS:
            continue
        told = HeaderParser().parsestr(content.decode("utf-8", "replace"))
        if not told["Name"] or not told["Version"]:
            continue
        yield Component(
            name=told["Name"],
            version=told["Version"],
            description=told["Summary"],
            purl=PackageURL(
                type="pypi",
                name=told["Name"],
                version=told["Version"],
                qualifiers=_source(records.get(f"{place}/direct_url.json")),
            ),
            bom_ref=name,
            licenses=_licenses(told),
            components=_record(f"{place}/RECORD", records),
        )


def _source(direct: bytes | None) -> dict[str, str]:
    """Where a distribution comes from that is of no index: a commit, a file."""
    told = json.loads(direct) if direct else {}
    if vcs := told.get("vcs_info"):
        return {"vcs_url": f"{vcs['vcs']}+{told['url']}@{vcs['commit_id']}"}
    return {"download_url": told["url"]} if "url" in told else {}


def _licenses(told: Message) -> list[License]:
    """An expression of SPDX where there is one; else the words, and else the classifiers."""
    factory = LicenseFactory()
    words = (told["License-Expression"] or told["License"] or "").strip()
    # Some have the whole text of their licence there.
    if words and "\n" not in words and words != "UNKNOWN":
        return [factory.make_from_string(words)]
    classifiers = [each for each in told.get_all("Classifier", []) if each.startswith(CLASSIFIER)]
    names = dict.fromkeys(each.rpartition(" :: ")[2].strip() for each in classifiers)
    return [factory.make_with_name(name) for name in names]


def _record(path: str, records: Mapping[str, bytes]) -> list[Component]:
    """The file that lists the digest of every other one: by its own, all of them are known."""
    content = records.get(path)
    if content is None:
        return []
    digest = HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())
    return [Component(type=ComponentType.FILE, name=path, bom_ref=path, hashes=[digest])]
