"""What is in an image: every package once, and the same image gives the same bytes."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from report.html import html_of
from report.lineage import lineages
from report.look import HostSight, ImageFacts, images_of
from report.page import page_of
from report.provenance import statement
from report.sbom import bills
from report.sbom.bills import Bill, bills_of
from report.sbom.debian import debian_packages
from report.sbom.document import counts_of, document_of
from report.sbom.go_programs import MAGIC, go_programs
from report.sbom.python_distributions import python_distributions
from report.state import StackState, read_state
from runtime.failure import StepError
from runtime.package_records import PackageRecords
from tests.report.conftest import exported, sight_of

SITE = "/opt/venv/lib/python3.13/site-packages"
STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.41-12)
Version: 2.41-12+b1
Description: C library
 Package: nonsense
 .
 Status: install ok installed

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: held
Status: hold ok installed
Architecture: all
Version: 1:2~rc1

"""
SYSTEM = b'PRETTY_NAME="Debian GNU/Linux 13"\nID=debian\nVERSION_ID="13"\n'
DIGEST = bytes(range(32))
SUM = f"h1:{base64.b64encode(DIGEST).decode()}"
MODULES = (
    "path\texample.org/program\n"
    "mod\texample.org/program\t(devel)\t\n"
    f"dep\texample.org/first\tv1.2.3\t{SUM}\n"
    "dep\texample.org/second\tv1.0.0\n"
    f"=>\texample.net/fork\tv1.0.1\t{SUM}\n"
    "build\tGOOS=linux\n"
)


def linked(modules: str = MODULES, flags: int = 2) -> bytes:
    """Build information as Go's linker writes it, and what follows it."""
    lines = b"\x01" * 16 + modules.encode() + b"\x02" * 16
    texts = b"".join(_length(len(text)) + text for text in (b"go1.24.4", lines))
    return (MAGIC + b"\x08" + bytes([flags])).ljust(32, b"\0") + texts + b"more"


def _length(count: int) -> bytes:
    most, least = divmod(count, 128)
    return bytes([least | 128, most]) if most else bytes([least])


def metadata(*lines: str) -> bytes:
    return "\n".join(["Metadata-Version: 2.4", *lines, "", "License: of the text below"]).encode()


RECORDS = PackageRecords(
    files={
        "/var/lib/dpkg/status": STATUS,
        "/etc/os-release": SYSTEM,
        f"{SITE}/torch-2.6.0.dist-info/METADATA": metadata(
            "Name: torch", "Version: 2.6.0", "License-Expression: BSD-3-Clause AND MIT"
        ),
        f"{SITE}/torch-2.6.0.dist-info/RECORD": b"torch/__init__.py,sha256=x,1\n",
        f"{SITE}/setuptools/_vendor/wheel-0.45.dist-info/METADATA": metadata(
            "Name: wheel", "Version: 0.45"
        ),
        "/usr/lib/python3/dist-packages/old-1.egg-info": metadata("Name: old", "Version: 1"),
    },
    programs={"/usr/bin/program": linked()},
)
IMAGE = ImageFacts(
    reference="ollama/ollama:0.17.4",
    id="sha256:cd",
    bytes=2,
    name="ollama",
    created=datetime(2026, 11, 1, tzinfo=UTC),
    contents=("pkg:pypi/llama-cpp-python@0.3.36#vendor/llama.cpp",),
)


def purls(document: str) -> set[str]:
    found, waiting = set(), list(json.loads(document)["components"])
    while waiting:
        component = waiting.pop()
        waiting += component.get("components", ())
        found |= {component["purl"]} if "purl" in component else set()
    return found


class TestDebian:
    def test_what_is_installed_is_told_and_what_was_is_not(self) -> None:
        packages = list(debian_packages(RECORDS.files))
        assert [(each.name, each.version) for each in packages] == [
            ("libc6", "2.41-12+b1"),
            ("held", "1:2~rc1"),
        ]

    def test_a_package_says_what_advisories_are_of(self) -> None:
        (libc, _) = debian_packages(RECORDS.files)
        assert libc.purl is not None
        assert (libc.purl.type, libc.purl.namespace) == ("deb", "debian")
        assert libc.purl.qualifiers == {
            "arch": "amd64",
            "distro": "debian-13",
            "upstream": "glibc@2.41-12",
        }

    def test_an_image_of_another_system_has_none(self) -> None:
        assert list(debian_packages({})) == []


class TestPython:
    def distribution(self, *lines: str, **beside: bytes) -> Any:
        place = f"{SITE}/a-1.dist-info"
        files = {f"{place}/METADATA": metadata("Name: a", "Version: 1", *lines)}
        files |= {f"{place}/{name}": content for name, content in beside.items()}
        (found,) = python_distributions(files)
        return found

    def test_what_a_distribution_carries_in_it_is_none_of_its_own(self) -> None:
        found = [(each.name, each.version) for each in python_distributions(RECORDS.files)]
        assert found == [("torch", "2.6.0"), ("old", "1")]

    def test_two_versions_in_two_folders_are_both_there(self) -> None:
        files = {
            f"/{place}/site-packages/a-{version}.dist-info/METADATA": metadata(
                "Name: a", f"Version: {version}"
            )
            for place, version in (("x", 1), ("y", 2))
        }
        assert [each.version for each in python_distributions(files)] == ["1", "2"]

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (["License-Expression: MIT OR Apache-2.0", "License: x"], ["MIT OR Apache-2.0"]),
            (["License: MIT"], ["MIT"]),
            (["License: as is"], ["as is"]),
            (["License: UNKNOWN", "Classifier: License :: OSI Approved :: BSD License"], ["BSD"]),
            (["License: Permission\n        is granted", "Classifier: License :: A"], ["A"]),
            ([], []),
        ],
    )
    def test_its_licence_is_as_it_says(self, lines: list[str], told: list[str]) -> None:
        found = self.distribution(*lines).licenses
        words = [getattr(each, "value", None) or each.id or each.name for each in found]
        assert [word.removesuffix(" License") for word in words] == told

    def test_one_of_a_commit_names_it(self) -> None:
        commit = {"vcs": "git", "commit_id": "5eed"}
        direct = json.dumps({"url": "https://example.org/a.git", "vcs_info": commit}).encode()
        found = self.distribution(**{"direct_url.json": direct})
        assert found.purl.qualifiers == {"vcs_url": "git+https://example.org/a.git@5eed"}

    def test_the_record_of_its_files_is_known_by_its_digest(self) -> None:
        (file,) = self.distribution(RECORD=b"abc").components
        (digest,) = file.hashes
        assert digest.content == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class TestGo:
    def test_each_module_is_there_with_what_replaces_it(self) -> None:
        (program,) = go_programs({"/usr/bin/program": linked()})
        modules = {each.name: each.version for each in program.components}
        assert modules == {
            "stdlib": "1.24.4",
            "example.org/program": None,
            "example.org/first": "v1.2.3",
            "example.net/fork": "v1.0.1",
        }

    def test_its_sum_is_its_digest(self) -> None:
        (program,) = go_programs({"/usr/bin/program": linked()})
        (first,) = (each for each in program.components if each.name == "example.org/first")
        assert [each.content for each in first.hashes] == [DIGEST.hex()]

    @pytest.mark.parametrize(
        "content",
        [b"", MAGIC, linked(flags=0), linked()[:40], b"\xff Go buildinf;" + bytes(64)],
        ids=["empty", "no more", "of Go 1.17", "cut off", "another"],
    )
    def test_what_cannot_be_read_is_left_out(self, content: bytes) -> None:
        assert list(go_programs({"/usr/bin/program": content})) == []


class TestDocument:
    def test_it_is_valid_and_the_same_each_time(self) -> None:
        document = document_of(IMAGE, RECORDS)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None
        assert document_of(IMAGE, RECORDS) == document
        assert json.loads(document)["metadata"]["timestamp"] == "2026-11-01T00:00:00+00:00"

    def test_everything_is_in_it_once(self) -> None:
        document = document_of(IMAGE, RECORDS)
        assert counts_of(document) == {"deb": 2, "golang": 4, "pypi": 3}
        assert len(purls(document)) == 9
        assert IMAGE.contents[0] in purls(document)

    def test_another_image_has_another_number(self) -> None:
        other = document_of(replace(IMAGE, id="sha256:ef"), RECORDS)
        numbers = {
            json.loads(each)["serialNumber"] for each in (document_of(IMAGE, RECORDS), other)
        }
        assert len(numbers) == 2


@pytest.fixture
def state(planned) -> StackState:
    plan, settings = planned()
    return read_state(exported(plan, settings))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every image that was looked into."""
    looked: list[str] = []

    def read(_engine: object, _owner: object, image: str) -> PackageRecords:
        looked.append(image)
        if image == "sha256:bad":
            raise StepError("exec: sh: not found")
        return RECORDS

    monkeypatch.setattr(bills, "read_package_records", read)
    return looked


class TestBills:
    def sight(self, **change: Any) -> HostSight:
        return replace(HostSight(survey=None), images=(replace(IMAGE, **change),))  # type: ignore[arg-type]

    def made(self, state: StackState, folder: Path, *, anew: bool = False, **change: Any) -> Bill:
        (bill,) = bills_of(state, self.sight(**change), folder, anew=anew)
        path = folder / bill.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(bill.document)
        return bill

    def test_an_image_is_looked_into_once(
        self, state: StackState, reads: list[str], tmp_path: Path
    ) -> None:
        first = self.made(state, tmp_path)
        assert self.made(state, tmp_path) == first
        assert reads == ["sha256:cd"]
        assert first.path == "sbom/ollama.cdx.json"

    @pytest.mark.parametrize("change", [{"id": "sha256:ef"}, {"reference": "ollama/ollama:1"}])
    def test_another_image_is_looked_into(
        self, state: StackState, reads: list[str], tmp_path: Path, change: Any
    ) -> None:
        self.made(state, tmp_path)
        self.made(state, tmp_path, **change)
        assert len(reads) == 2

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"metadata": {"tools": {}}}', "\0"])
    def test_what_is_no_document_is_made_anew(
        self, state: StackState, reads: list[str], tmp_path: Path, text: str
    ) -> None:
        bill = self.made(state, tmp_path)
        (tmp_path / bill.path).write_text(text)
        assert self.made(state, tmp_path) == bill
        assert len(reads) == 2

    def test_who_signs_has_read(self, state: StackState, reads: list[str], tmp_path: Path) -> None:
        self.made(state, tmp_path)
        self.made(state, tmp_path, anew=True)
        assert len(reads) == 2

    def test_an_image_that_cannot_be_read_is_told(
        self, state: StackState, reads: list[str], tmp_path: Path
    ) -> None:
        (bill,) = bills_of(state, self.sight(id="sha256:bad"), tmp_path, anew=False)
        assert bill.problem == "exec: sh: not found"


class TestPage:
    @pytest.fixture
    def sight(self, planned) -> HostSight:
        plan, _ = planned()
        return replace(sight_of(plan), images=(IMAGE,), missing_images=("finetune-stack/x:1",))

    def page(self, state: StackState, sight: HostSight, bill: Bill) -> str:
        return html_of(page_of(state, sight, [bill], now=datetime.now(UTC)))

    def test_each_image_links_to_what_is_in_it(self, state: StackState, sight: HostSight) -> None:
        counts = {"deb": 2, "golang": 4, "pypi": 3, "generic": 1}
        bill = Bill(reference=IMAGE.reference, path="sbom/o.json", document="{}", counts=counts)
        assert '<a href="sbom/o.json">2 Debian, 3 Python, 4 Go, 1 other</a>' in self.page(
            state, sight, bill
        )

    def test_one_that_is_gone_is_told(self, state: StackState, sight: HostSight) -> None:
        bill = Bill(reference=IMAGE.reference, path="sbom/o.json", problem="<no shell>")
        page = self.page(state, sight, bill)
        assert "finetune-stack/x:1</th><td colspan" in page
        assert "no more on the engine" in page
        assert "&lt;no shell&gt;" in page
        assert "sbom/o.json" not in page


def test_the_provenance_names_what_is_in_the_images_of_its_steps(planned) -> None:
    plan, settings = planned()
    state = read_state(exported(plan, settings))
    sight = sight_of(plan)
    guide = lineages(state, sight.survey)[0]
    own = Bill(reference=plan.images.llamafactory.reference, path="sbom/a.json", document="{}")
    other = replace(own, reference=plan.images.ollama.reference, path="sbom/b.json")
    told = statement(guide, state, sight, sight.survey, [own, other])
    (found,) = told["predicate"]["runDetails"]["byproducts"]
    assert (found["name"], found["digest"]["sha256"]) == (
        "sbom/a.json",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    )


def test_images_are_called_as_the_stack_calls_them(state: StackState) -> None:
    resources = [
        replace(
            state.resources[0],
            urn=f"urn:pulumi:test::finetune-stack::x::pipeline-images-{name}",
            type="docker:index/image:Image",
            inputs={"imageName": f"{name}:1"},
        )
        for name in ("converter", "ollama-base")
    ]
    found = images_of(replace(state, resources=resources))
    assert found == [("converter", "converter:1"), ("ollama-base", "ollama-base:1")]
