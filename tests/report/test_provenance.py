"""Where a model comes from: told whole, signed, and every other byte found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from plan.paths import MARKER
from plan.survey import FoundFile, Survey
from report.lineage import Lineage, lineages
from report.provenance import (
    differences,
    digested_paths,
    paths_of,
    read_statement,
    statement,
)
from report.signature import KeyProblemError, opened, signed
from report.state import StackState, read_state
from tests.report.conftest import exported, sight_of

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def private(key: Any, encryption: Any = PLAIN) -> bytes:
    text: bytes = key.private_bytes(PEM, PKCS8, encryption)
    return text


def public(key: Any) -> bytes:
    text: bytes = key.public_key().public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text


def digests(lineage: Lineage) -> Survey:
    """Two files in each folder of a model, one in place of each file."""
    folders = [str(plan.artefact) for _, plan in lineage.artefacts]
    files = [f"{folder}/{name}" for folder in folders for name in ("weights", MARKER)]
    files += [path for path in digested_paths(lineage) if path not in folders]
    return Survey(
        files={path: FoundFile(bytes=at, sha256=f"{at:064x}") for at, path in enumerate(files)}
    )


@pytest.fixture
def state(planned) -> StackState:
    plan, settings = planned()
    return read_state(exported(plan, settings))


@pytest.fixture
def guide(planned, state: StackState) -> Lineage:
    plan, _ = planned()
    return lineages(state, sight_of(plan).survey)[0]


@pytest.fixture
def told(planned, state: StackState, guide: Lineage) -> dict[str, Any]:
    plan, _ = planned()
    return statement(guide, state, sight_of(plan), digests(guide))


class TestStatement:
    def test_it_has_the_shape_of_slsa(self, told: dict[str, Any]) -> None:
        assert told["_type"] == "https://in-toto.io/Statement/v1"
        assert told["predicateType"] == "https://slsa.dev/provenance/v1"
        assert set(told["predicate"]) == {"buildDefinition", "runDetails"}
        for entry in told["subject"]:
            assert len(entry["digest"]["sha256"]) == 64

    def test_what_a_step_made_is_a_subject_and_what_it_read_is_not(
        self, told: dict[str, Any], guide: Lineage
    ) -> None:
        subjects = {entry["name"] for entry in told["subject"]}
        build = told["predicate"]["buildDefinition"]
        inputs = {entry["name"] for entry in build["resolvedDependencies"] if "name" in entry}
        made = [str(plan.artefact) for _, plan in guide.artefacts if plan.noun != "base-model"]
        assert {f"{folder}/weights" for folder in made} <= subjects
        assert str(guide.plan.manifest) in subjects
        assert any("/models/blobs/sha256-" in name for name in subjects)
        (base,) = (plan for _, plan in guide.artefacts if plan.noun == "base-model")
        assert {f"{base.artefact}/weights", guide.datasets[0].target} <= inputs
        assert not inputs & subjects

    def test_it_says_of_each_step_what_it_was_told(self, told: dict[str, Any]) -> None:
        steps = told["predicate"]["buildDefinition"]["internalParameters"]["steps"]
        assert [step["step"] for step in steps] == [
            "base-model",
            "training-run",
            "merge",
            "gguf-conversion",
            "ollama-model",
        ]
        assert "learning_rate: 0.001" in steps[1]["files"]["train.yaml"]

    def test_another_model_of_the_stack_is_no_part_of_it(
        self, planned, state: StackState, guide: Lineage
    ) -> None:
        plan, _ = planned()
        poet = lineages(state, sight_of(plan).survey)[1]
        names = {step.plan.name for step in guide.steps}
        assert not names & {step.plan.name for step in poet.steps}


class TestDifferences:
    def test_the_same_bytes_differ_in_nothing(self, told: dict[str, Any], guide: Lineage) -> None:
        assert differences(told, digests(guide)) == []
        assert set(paths_of(told)) == set(digested_paths(guide))

    def test_another_byte_in_any_file_is_found(self, told: dict[str, Any], guide: Lineage) -> None:
        files = dict(digests(guide).files)
        checked = [path for path in files if not path.endswith(MARKER)]
        assert len(checked) == len(guide.artefacts) + len(guide.datasets) + 1 + len(guide.layers)
        for path in checked:
            changed = {**files, path: replace(files[path], sha256="f" * 64)}
            assert differences(told, Survey(files=changed)) == [
                f"{path} has other bytes: {'f' * 64}, not {files[path].sha256}"
            ]
            gone = {each: file for each, file in files.items() if each != path}
            assert differences(told, Survey(files=gone)) == [f"{path} is gone"]

    def test_a_file_that_came_since_is_found(self, told: dict[str, Any], guide: Lineage) -> None:
        files = {**digests(guide).files, "/app/output/runs/x/new": FoundFile(bytes=1, sha256="0")}
        assert differences(told, Survey(files=files)) == ["/app/output/runs/x/new was not there"]

    def test_the_token_of_another_up_is_no_difference(
        self, told: dict[str, Any], guide: Lineage
    ) -> None:
        files = {
            path: replace(file, sha256="f" * 64) if path.endswith(MARKER) else file
            for path, file in digests(guide).files.items()
        }
        assert differences(told, Survey(files=files)) == []


KEYS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
}


class TestSignature:
    @pytest.mark.parametrize("kind", KEYS)
    def test_what_was_signed_is_opened_by_either_half_of_the_key(self, kind: str) -> None:
        key = KEYS[kind]()
        envelope = signed({"a": "é"}, private(key))
        assert json.loads(opened(envelope, public(key))) == {"a": "é"}
        assert json.loads(opened(envelope, private(key))) == {"a": "é"}

    def test_another_key_opens_nothing(self) -> None:
        envelope = signed({}, private(KEYS["ed25519"]()))
        with pytest.raises(ValueError, match="not of this key"):
            opened(envelope, public(KEYS["ed25519"]()))

    @pytest.mark.parametrize("field", ["payload", "payloadType", "sig"])
    def test_a_changed_envelope_is_not_opened(self, field: str) -> None:
        key = KEYS["ecdsa"]()
        envelope = json.loads(signed({"a": 1}, private(key)))
        if field == "payload":
            envelope["payload"] = "e30="
        elif field == "sig":
            sig = envelope["signatures"][0]["sig"]
            envelope["signatures"][0]["sig"] = ("B" if sig[20] != "B" else "C").join(
                (sig[:20], sig[21:])
            )
        else:
            envelope["payloadType"] = "text/plain"
        with pytest.raises(ValueError, match=r"not of this key|no in-toto"):
            opened(json.dumps(envelope), public(key))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"payload": "e30="}'])
    def test_what_is_no_envelope_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="no signed statement"):
            opened(text, public(KEYS["ed25519"]()))

    @pytest.mark.parametrize(
        ("key", "said"),
        [
            (b"", "openssl genpkey"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "openssl genpkey"),
            (private(rsa.generate_private_key(65537, 2048)), "neither ed25519 nor ecdsa"),
            (
                private(
                    ed25519.Ed25519PrivateKey.generate(),
                    serialization.BestAvailableEncryption(b"x"),
                ),
                "pulumi config set --secret signing_key",
            ),
        ],
        ids=["empty", "broken", "rsa", "locked"],
    )
    def test_a_key_that_cannot_be_used_is_told_with_the_way_out(
        self, key: bytes, said: str
    ) -> None:
        with pytest.raises(KeyProblemError, match=said):
            signed({}, key)


@pytest.mark.parametrize(
    "told", [{}, {"_type": "https://in-toto.io/Statement/v1", "predicateType": "x"}]
)
def test_a_statement_of_another_kind_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no provenance"):
        read_statement(json.dumps(told).encode())


def test_a_base_model_in_a_folder_of_the_operators_counts(planned, tmp_path: Path) -> None:
    def in_a_folder(document: dict[str, Any]) -> None:
        for model in document["models"]:
            model["base_model"] = {"path": "/app/data/base"}

    plan, settings = planned(in_a_folder)
    state = read_state(exported(plan, settings))
    (guide, _) = lineages(state, sight_of(plan).survey)
    assert "/app/data/base" in digested_paths(guide)
    found = Survey(files={"/app/data/base/w": FoundFile(bytes=1, sha256="0" * 64)})
    told = statement(guide, state, sight_of(plan), found)
    inputs = told["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [entry["name"] for entry in inputs if "name" in entry] == ["/app/data/base/w"]
