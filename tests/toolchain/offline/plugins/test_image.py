"""Contract of docker.Image; expectations from pulumi-docker's own resource.

That is `provider/provider.go` and `provider/image.go` of pulumi/pulumi-docker, 5.x.
"""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from tests.toolchain.offline.plugins.plugin_client import Refused, in_parallel, told
from toolchain.offline.plugins.property_values import UNKNOWN, Secret

pytestmark = pytest.mark.engine


@pytest.fixture
def context(tmp_path, test_image):
    (tmp_path / "greeting.txt").write_text("hello\n")
    (tmp_path / "notes.md").write_text("not part of the build\n")
    (tmp_path / ".dockerignore").write_text("*.md\n")
    (tmp_path / "Dockerfile").write_text(
        f"ARG BASE_IMAGE={test_image}\n"
        "FROM ${BASE_IMAGE}\n"
        "ARG WHO=nobody\n"
        "COPY . /context/\n"
        'RUN echo "built for $WHO" && cat /context/greeting.txt\n'
    )
    return tmp_path


@pytest.fixture
def wanted(context, names):
    return {
        "imageName": names("image") + ":1",
        "skipPush": True,
        "build": {
            "context": str(context),
            "dockerfile": str(context / "Dockerfile"),
            "args": {"WHO": "tests"},
            "platform": "linux/amd64",
        },
    }


@pytest.mark.parametrize("builder", ["BuilderV1", "BuilderBuildKit", None])
def test_both_builders_build_tag_and_show_their_log(builder, engine, wanted, names, resource, log):
    if builder:
        wanted["build"]["builderVersion"] = builder
    name = names(builder or "default")
    image = resource("image", name).create(**wanted)
    found = engine.images.get(wanted["imageName"])
    assert image.resource_id == wanted["imageName"]
    assert image.state["repoDigest"] == found.id
    assert image.state["imageName"] == image.state["baseImageName"] == wanted["imageName"]
    assert image.state["dockerfile"] == "Dockerfile"
    assert any("built for tests" in line for line in log.of(name))
    assert image.plan(**wanted).changes == {}
    listing = engine.containers.run(found.id, ["ls", "/context"], remove=True, network_mode="none")
    assert b"greeting.txt" in listing
    assert b"notes.md" not in listing


def test_a_changed_file_is_an_update_that_builds_again(engine, context, wanted, resource):
    image = resource("image", "image").create(**wanted)
    before = image.state["repoDigest"]
    (context / "greeting.txt").write_text("good morning\n")
    plan = image.plan(**wanted)
    assert plan.changes == {"build": "update"}
    assert plan.replaces == []
    assert image.update(**wanted)["repoDigest"] != before
    assert image.plan(**wanted).changes == {}


def test_what_is_ignored_makes_no_difference(context, wanted, resource):
    image = resource("image", "image")
    digest = image.check(**wanted)["build"]["contextDigest"]
    (context / "notes.md").write_text("changed\n")
    assert image.check(**wanted)["build"]["contextDigest"] == digest
    (context / "greeting.txt").chmod(0o755)
    assert image.check(**wanted)["build"]["contextDigest"] != digest


@pytest.mark.stand_in
@pytest.mark.parametrize("builder", ["BuilderV1", "BuilderBuildKit"])
def test_a_failed_build_says_why_and_where_its_log_is(builder, context, wanted, resource):
    with (context / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN seq 100; echo the reason; exit 3\n")
    wanted["build"]["builderVersion"] = builder
    with pytest.raises(grpc.RpcError) as failure:
        resource("image", "guide").create(**wanted)
    details = told(failure.value)
    assert f"unable to build image {wanted['imageName']}" in details
    assert "the reason" in details
    (named,) = re.findall(r"log of the build is in (\S+/image-build-guide-\S+\.log),", details)
    log = Path(named)
    lines = log.read_text().splitlines()
    assert "1" in lines
    assert "the reason" in lines
    assert log.stat().st_mode & 0o077 == 0
    log.unlink()


def test_preview_builds_nothing(engine, wanted, resource):
    image = resource("image", "image")
    assert "repoDigest" not in image.preview(**wanted)
    assert not engine.images.list(wanted["imageName"])


def test_update_in_preview_leaves_the_digest_open(wanted, resource):
    # The official provider answers with the inputs: what is missing is not known to Pulumi.
    image = resource("image", "image").create(**wanted)
    wanted["build"]["args"] = {"WHO": "somebody else"}
    assert "repoDigest" not in image.update(preview=True, **wanted)


def test_unknown_arguments_stay_unknown_and_nothing_is_built(engine, wanted, resource):
    wanted["build"]["args"] = {"WHO": UNKNOWN}
    foretold = resource("image", "image").preview(**wanted)
    assert foretold["build"]["args"]["WHO"] is UNKNOWN
    assert not engine.images.list(wanted["imageName"])


def test_inputs_are_kept_as_a_secret(wanted, resource):
    # checkpointObject: `__inputs` is a secret, as build arguments may hold one.
    image = resource("image", "image").create(**wanted)
    assert isinstance(image.state["__inputs"], Secret)
    assert image.state["__inputs"].value["build"]["args"] == {"WHO": "tests"}


def test_delete_leaves_the_image_and_read_looks_at_nothing(engine, wanted, resource):
    image = resource("image", "image").create(**wanted)
    image.delete()
    assert engine.images.get(wanted["imageName"])
    engine.images.remove(wanted["imageName"])
    # So an image that was removed by hand comes back by a changed input alone.
    assert image.refresh()
    assert image.plan(**wanted).changes == {}
    wanted["build"]["args"] = {"WHO": "the next"}
    image.update(**wanted)
    assert engine.images.get(wanted["imageName"])


def test_a_dockerfile_outside_of_the_context(engine, tmp_path, context, wanted, resource):
    folder = context / "inner"
    folder.mkdir()
    (folder / "greeting.txt").write_text("from within\n")
    wanted["build"]["context"] = str(folder)
    image = resource("image", "image").create(**wanted)
    assert image.state["dockerfile"] == "../Dockerfile"
    assert engine.images.get(wanted["imageName"]).id == image.state["repoDigest"]


def test_two_images_are_built_at_the_same_time(engine, wanted, names, resource):
    def create(role):
        inputs = {**wanted, "imageName": f"{names(role)}:1"}
        inputs["build"] = {**wanted["build"], "args": {"WHO": role}}
        return resource("image", role).create(**inputs)

    one, two = in_parallel(lambda: create("one"), lambda: create("two"))
    assert engine.images.get(one.resource_id).id != engine.images.get(two.resource_id).id


def test_a_missing_dockerfile_is_named_with_the_likely_path(wanted, context, resource):
    wanted["build"]["dockerfile"] = "no/such/Dockerfile"
    with pytest.raises(grpc.RpcError, match="could not open dockerfile at relative path"):
        resource("image", "image").check(**wanted)


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"skipPush": False}, "does not push images"),
        ({"registry": {"server": "x"}}, "property registry is not served"),
        ({"buildOnPreview": True}, "does not build in a preview"),
        ({"build": {"target": "x"}}, "property build.target is not served"),
        ({"imageName": None}, "property imageName is missing"),
        ({"build": {"builderVersion": "3"}}, "has to match BuilderV1|BuilderBuildKit"),
    ],
)
def test_what_is_not_served_is_refused(changed, message, wanted, resource):
    inputs = {**wanted, **changed}
    with pytest.raises(Refused) as refusal:
        resource("image", "image").check(**inputs)
    assert message in str(refusal.value)
