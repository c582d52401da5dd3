"""What is in an image, against the package managers' own lists, on the stack's real images (O3).

Takes about fifteen seconds.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from plan import labels
from plan.host import HostFacts
from plan.image import ImagesPlan
from plan.owner import Owner
from planning.images import plan_images
from report import look
from report.sbom.document import document_of
from runtime.docker.engine import Engine as OneEngine
from runtime.failure import StepError
from runtime.package_records import read_package_records
from stack_configs.settings.loader import parse_settings
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(600)]

OWNER = Owner(stack="finetune-stack-test-sbom", id="5b0f")

DPKG = ("sh", "-c", "COLUMNS=400 dpkg -l")
PIP = (
    *("sh", "-c"),
    "for folder in $(find / -xdev -type d \\( -name site-packages -o -name dist-packages \\)); do "
    'python -m pip list --disable-pip-version-check --format=json --path "$folder"; done',
)
GO = ("sh", "-c", r"grep -aoP '^(dep|=>)\t[\w./~-]+\tv[\w.+-]+' /usr/bin/ollama")


def said(engine: Engine, image: str, command: Sequence[str]) -> str:
    """What a program of the image says."""
    output: bytes = engine.client.containers.run(
        image, list(command), entrypoint="", network_mode="none", remove=True, stderr=False
    )
    return output.decode()


def sbom_of(image: str) -> str:
    """The document of an image, made anew."""
    engine = OneEngine()
    facts = look._image(engine, "x", image)
    assert facts is not None
    return document_of(facts, read_package_records(engine, OWNER, facts.id))


def packages(document: str) -> Mapping[str, list[PackageURL]]:
    """Every package URL, by its kind."""

    def below(components: Sequence[Mapping[str, Any]]) -> Iterator[PackageURL]:
        for component in components:
            if "purl" in component:
                yield PackageURL.from_string(component["purl"])
            yield from below(component.get("components", ()))

    found: dict[str, list[PackageURL]] = {}
    for purl in below(json.loads(document)["components"]):
        found.setdefault(purl.type, []).append(purl)
    return found


def by_dpkg(engine: Engine, image: str) -> list[tuple[str, str, str]]:
    rows = (line.split() for line in said(engine, image, DPKG).splitlines())
    return sorted(
        (row[1].split(":")[0], row[2], row[3])
        for row in rows
        if row and re.fullmatch("[uihrp]i", row[0])
    )


def by_pip(engine: Engine, image: str) -> list[tuple[str, str]]:
    return sorted(
        (name_of(each["name"]), each["version"])
        for line in said(engine, image, PIP).splitlines()
        for each in json.loads(line)
    )


def name_of(distribution: str) -> str:
    """As package URLs spell it."""
    return distribution.lower().replace("_", "-")


def compare(engine: Engine, image: str, *, has_python: bool) -> str:
    """Every line of both lists is in the document, and nothing else; the document."""
    document = sbom_of(image)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None
    found = packages(document)
    debian = [(each.name, each.version, each.qualifiers["arch"]) for each in found["deb"]]
    assert sorted(debian) == by_dpkg(engine, image)
    python = [(each.name, each.version) for each in found.get("pypi", ()) if not each.subpath]
    assert sorted(python) == (by_pip(engine, image) if has_python else [])
    return document


@pytest.mark.capability("O3")
def test_what_converts_has_what_dpkg_and_pip_list(engine: Engine, images: ImagesPlan):
    document = compare(engine, images.converter.reference, has_python=True)
    found = packages(document)
    assert len(found["deb"]) > 100
    assert {each.subpath for each in found["pypi"]} >= {"vendor/llama.cpp"}
    assert "llamafactory" in {each.name for each in found["pypi"]}, "it is built on what trains"


@pytest.mark.capability("O3")
def test_what_serves_has_what_dpkg_lists_and_what_go_has_linked(engine: Engine, images: ImagesPlan):
    image = images.ollama.reference
    modules = packages(compare(engine, image, has_python=False))["golang"]
    linked = {tuple(line.split("\t")[1:]) for line in said(engine, image, GO).splitlines()}
    told = {(f"{each.namespace}/{each.name}", each.version) for each in modules if each.namespace}
    # The program itself is there twice: as Go has linked it, and by the version that was built.
    assert told - {("github.com/ollama/ollama", None)} == linked | {
        ("github.com/ollama/ollama", f"v{images.ollama.args['OLLAMA_VERSION']}")
    }
    assert len(linked) > 50


def test_the_same_image_gives_the_same_bytes_and_nothing_is_left(
    engine: Engine, images: ImagesPlan
):
    image = images.ollama.reference
    assert sbom_of(image) == sbom_of(image)
    label = f"{labels.STACK}={OWNER.stack}"
    assert engine.client.containers.list(all=True, filters={"label": label}) == []


def test_an_image_that_goes_meanwhile_is_told():
    with pytest.raises(StepError, match=r"finetune-stack/gone.*up --refresh"):
        read_package_records(OneEngine(), OWNER, "finetune-stack/gone:1")


@pytest.mark.nightly
@pytest.mark.capability("O3")
def test_so_have_what_trains_and_what_measures(engine: Engine, home: Path):
    stack = Stack(home)
    stack.settings["metrics"] = {"enabled": True}
    try:
        made = stack.up(targets=["pipeline", "*-host-check*", "*-images*"])
        assert made.returncode == 0, made.output
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
    settings = parse_settings(stack.settings, directory=PROJECT, source="sbom.yaml")
    plan = plan_images(settings, HostFacts())
    assert plan.metrics is not None
    for each in (plan.llamafactory, plan.metrics):
        compare(engine, each.reference, has_python=True)
