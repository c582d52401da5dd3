"""Images: a tag says what is inside, and mirrors and certificates reach the build (F1-F4, F8)."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from plan.host import HostFacts
from plan.image import ImagesPlan
from plan.pipeline import PipelinePlan
from planning.images import plan_images
from planning.recipes import LLAMAFACTORY_BASE, mirrored
from stack_configs.settings.llamafactory_image import Extra
from stack_configs.settings.root import Settings

PROJECT = Path(__file__).parents[2]

Images = Callable[..., ImagesPlan]


@pytest.fixture
def images(plan_with: Callable[..., PipelinePlan]) -> Images:
    def make(hardware: str = "cpu", **settings: Any) -> ImagesPlan:
        settings = {"ollama": {"build": True}, **settings}
        host = {"hardware": hardware, "gpu": {"count": 1}}
        return plan_with(lambda d: d.update(host=host, images=settings)).images

    return make


def tags(plan: ImagesPlan) -> tuple[str, ...]:
    return tuple(image.reference for image in plan.all)


class TestTags:
    @pytest.mark.parametrize(
        ("file", "changed"),
        [
            ("llamafactory/Dockerfile.cpu", (True, True, False)),
            ("llamafactory/build/install.sh", (True, True, False)),
            ("llamafactory/Dockerfile.cuda", (False, False, False)),
            ("converter/Dockerfile", (False, True, False)),
            ("ollama/Dockerfile", (False, False, True)),
        ],
    )
    def test_a_file_changes_the_images_that_hold_it(
        self, images: Images, project: Path, file: str, changed: tuple[bool, ...]
    ) -> None:
        before = tags(images())
        (project / "images" / file).write_text("RUN true\n")
        after = tags(images())
        assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed

    @pytest.mark.parametrize(
        "settings",
        [
            {"llamafactory": {"version": "0.9.4"}},
            {"llamafactory": {"extras": ["deepspeed"]}},
            {"llamafactory": {"base_image": "debian:13"}},
            {"mirrors": {"apt": "http://apt.example.org"}},
            {"mirrors": {"python_index": "https://pypi.example.org/simple"}},
            {"mirrors": {"registry": "mirror.example.org"}},
        ],
    )
    def test_an_argument_changes_the_tag(self, images: Images, settings: dict[str, Any]) -> None:
        assert images(**settings).llamafactory.reference != images().llamafactory.reference

    def test_the_builder_does_not_change_what_is_inside(self, images: Images) -> None:
        classic = images(builder="classic")
        assert tags(classic) == tags(images())
        assert classic.ollama.builder == "BuilderV1"

    @pytest.mark.parametrize("hardware", LLAMAFACTORY_BASE)
    def test_each_hardware_has_its_dockerfile_and_base(self, images: Images, hardware: Any) -> None:
        plan = images(hardware).llamafactory
        assert plan.dockerfile == f"images/llamafactory/Dockerfile.{hardware}"
        assert plan.args["BASE_IMAGE"] == LLAMAFACTORY_BASE[hardware]
        assert plan.reference.startswith(f"finetune-stack/llamafactory-{hardware}:")


class TestDockerfiles:
    """The plan and the real Dockerfiles."""

    @pytest.mark.parametrize("hardware", LLAMAFACTORY_BASE)
    def test_one_takes_every_argument_that_it_is_given(
        self, settings_with: Callable[..., Settings], hardware: Any
    ) -> None:
        images = {"ollama": {"build": True}}
        plan = plan_images(
            settings_with(
                lambda d: d.update(host={"hardware": hardware, "gpu": {"count": 1}}, images=images)
            ),
            HostFacts(),
        )
        for image in plan.all:
            lines = (PROJECT / image.dockerfile).read_text().splitlines()
            declared = {
                line.removeprefix("ARG ").partition("=")[0]
                for line in lines
                if line.startswith("ARG ")
            }
            assert image.args.keys() <= declared

    @pytest.mark.parametrize("hardware", LLAMAFACTORY_BASE)
    def test_the_base_that_is_planned_is_its_own_default(self, hardware: Any) -> None:
        dockerfile = PROJECT / f"images/llamafactory/Dockerfile.{hardware}"
        assert f"ARG BASE_IMAGE={LLAMAFACTORY_BASE[hardware]}\n" in dockerfile.read_text()


class TestOwnSource:
    SOURCE = f"git+https://example.org/factory.git@{'a' * 40}"

    def test_a_commit_is_installed_in_place_of_the_release(self, images: Images) -> None:
        plan = images(llamafactory={"source": self.SOURCE}).llamafactory
        assert plan.args["LLAMAFACTORY_SOURCE"] == self.SOURCE
        assert plan.dockerfile == "images/llamafactory/Dockerfile.cpu"
        assert "LLAMAFACTORY_SOURCE" not in images().llamafactory.args

    @pytest.mark.parametrize(
        ("lines", "given"),
        [
            ("FROM acme/base:1", set()),
            ("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}", {"BASE_IMAGE"}),
            (
                "arg LLAMAFACTORY_VERSION=1\nFROM acme/base:1\n  ARG EXTRAS=''\nARG OTHER",
                {"LLAMAFACTORY_VERSION", "EXTRAS"},
            ),
        ],
    )
    def test_a_dockerfile_of_ones_own_gets_the_arguments_that_it_takes(
        self, images: Images, directory: Path, lines: str, given: set[str]
    ) -> None:
        (directory / "factory").mkdir()
        (directory / "factory/Dockerfile.acme").write_text(f"{lines}\n")
        plan = images(llamafactory={"dockerfile": "factory/Dockerfile.acme"}).llamafactory
        assert plan.args.keys() == given
        assert (PROJECT / plan.dockerfile).resolve() == directory / "factory/Dockerfile.acme"
        assert (PROJECT / plan.context).resolve() == directory / "factory"


class TestExtras:
    def extras(self, images: ImagesPlan) -> str:
        return images.llamafactory.args["EXTRAS"]

    def test_a_run_brings_what_it_needs_into_the_image(
        self, plan_with: Callable[..., PipelinePlan]
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            document.update(
                host={"hardware": "cuda"}, images={"llamafactory": {"extras": ["metrics"]}}
            )
            document["models"][0]["training_runs"] = [
                {"name": "a", "datasets": ["alpaca"], "quantization_bit": 4},
                {"name": "b", "datasets": ["alpaca"], "deepspeed": "zero2"},
                {"name": "judge", "stage": "rm", "datasets": ["ranked"]},
                {"name": "c", "stage": "ppo", "reward_model": "judge", "datasets": ["alpaca"]},
            ]

        assert self.extras(plan_with(change).images) == "bitsandbytes,deepspeed,metrics,ppo"

    @pytest.mark.parametrize(
        ("run", "extra"),
        [
            ({"predict_with_generate": True, "val_size": 0.1}, "metrics"),
            ({"rope_scaling": "yarn"}, "rope-scaling"),
            ({"finetuning_type": "full", "use_galore": True}, "galore"),
            ({"finetuning_type": "full", "use_apollo": True}, "apollo"),
            ({"finetuning_type": "full", "use_badam": True}, "badam"),
            ({"finetuning_type": "full", "use_adam_mini": True}, "adam-mini"),
            ({"optim": "paged_adamw_8bit"}, "bitsandbytes"),
            ({"optim": "adamw_8bit"}, "bitsandbytes"),
            ({"optim": "adamw_torch_8bit"}, ""),
            ({"use_dora": True, "use_badam": False}, ""),
        ],
    )
    def test_an_argument_brings_what_it_needs(
        self, plan_with: Callable[..., PipelinePlan], run: dict[str, Any], extra: str
    ) -> None:
        plan = plan_with(lambda d: d["models"][0]["training_runs"][0].update(run))
        assert self.extras(plan.images) == extra

    def test_one_of_gpus_alone_brings_what_it_needs(
        self, plan_with: Callable[..., PipelinePlan]
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            document["host"] = {"hardware": "cuda"}
            document["models"][0]["training_runs"][0]["enable_liger_kernel"] = True

        assert self.extras(plan_with(change).images) == "liger-kernel"

    def test_one_that_needs_nothing_brings_nothing(self, images: Images) -> None:
        assert self.extras(images()) == ""

    def test_the_build_knows_each_of_them(self) -> None:
        script = (PROJECT / "images/llamafactory/build/install_extras.sh").read_text()
        for extra in get_args(Extra):
            assert f"    {extra}) " in script


class TestBases:
    def test_the_converter_is_built_on_the_training_image_which_is_never_pulled(
        self, images: Images
    ) -> None:
        plan = images(mirrors={"registry": "mirror.example.org"})
        assert plan.converter.args["BASE_IMAGE"] == plan.llamafactory.reference

    def test_the_converter_may_have_a_base_of_its_own(self, images: Images) -> None:
        plan = images(converter={"base_image": "debian:13"})
        assert plan.converter.args["BASE_IMAGE"] == "debian:13"

    def test_a_ready_image_is_pulled_and_not_built(self, images: Images) -> None:
        plan = images(ollama={"image": "ollama/ollama:0.17.4"}).ollama
        assert plan.reference == "ollama/ollama:0.17.4"
        assert not plan.is_built

    def test_ollama_is_pulled_in_its_version_unless_it_is_built(self, images: Images) -> None:
        plan = images(ollama={"version": "0.17.5"}, mirrors={"registry": "m.example.org"}).ollama
        assert plan.reference == "m.example.org/ollama/ollama:0.17.5"
        assert not plan.is_built
        assert images(ollama={"build": True}).ollama.is_built

    @pytest.mark.parametrize("version", ["0.11.5", "0.24.0-rc1", "0.30.1", "0.32.1-rocm"])
    def test_every_version_that_can_be_proved_is_taken(self, images: Images, version: str) -> None:
        assert images(ollama={"version": version}).ollama.reference.endswith(version)

    @pytest.mark.parametrize(
        ("hardware", "version", "tag"),
        [
            ("cpu", "0.17.4", "0.17.4"),
            ("cuda", "0.17.4", "0.17.4"),
            ("rocm", "0.17.4", "0.17.4-rocm"),
            ("rocm", "0.17.4-rocm", "0.17.4-rocm"),
            ("npu", "0.17.4", "0.17.4"),
        ],
    )
    def test_ollamas_image_follows_the_hardware(
        self, images: Images, hardware: str, version: str, tag: str
    ) -> None:
        plan = images(hardware, ollama={"version": version}).ollama
        assert plan.reference == f"ollama/ollama:{tag}"

    def test_an_image_of_ones_own_is_taken_as_it_is(self, images: Images) -> None:
        plan = images("rocm", ollama={"image": "acme/ollama:1"}).ollama
        assert plan.reference == "acme/ollama:1"

    @pytest.mark.parametrize(
        ("image", "registry", "name"),
        [
            ("debian:13", None, "debian:13"),
            ("debian:13", "m.example.org", "m.example.org/library/debian:13"),
            ("hiyouga/pytorch:x", "m.example.org/", "m.example.org/hiyouga/pytorch:x"),
            ("quay.io/a/b:1", "m.example.org", "quay.io/a/b:1"),
            ("box:5000/a:1", "m.example.org", "box:5000/a:1"),
            ("localhost/a:1", "m.example.org", "localhost/a:1"),
        ],
    )
    def test_a_mirror_stands_before_images_of_no_other_registry(
        self, image: str, registry: str | None, name: str
    ) -> None:
        assert mirrored(image, registry) == name


class TestCertificates:
    def argument(self, plan: ImagesPlan) -> bytes:
        (value,) = {image.args["EXTRA_CA_B64"] for image in (plan.llamafactory, plan.ollama)}
        return base64.b64decode(value)

    def test_a_folder_of_certificates(self, images: Images, directory: Path) -> None:
        (directory / "ca").mkdir()
        (directory / "ca/b.crt").write_text("B")
        (directory / "ca/a.crt").write_text("A")
        (directory / "ca/readme.txt").write_text("no certificate")
        # Relative to the settings file, as every path in it.
        assert self.argument(images(certificate_authority="ca")) == b"A\nB"

    def test_a_file(self, images: Images, directory: Path) -> None:
        (directory / "own.pem").write_text("PEM")
        path = str(directory / "own.pem")
        assert self.argument(images(certificate_authority=path)) == b"PEM"

    def test_none_and_a_folder_that_is_not_there(self, images: Images) -> None:
        assert self.argument(images()) == b""
        assert self.argument(images(certificate_authority="/nowhere/certificates")) == b""


class TestCarriedImages:
    """Images that were built on another host are used as they are (O6)."""

    @pytest.fixture
    def planned(self, plan_with: Callable[..., PipelinePlan]) -> Images:
        def make(facts: HostFacts, **settings: Any) -> ImagesPlan:
            images = {"ollama": {"build": True}, **settings}
            return plan_with(lambda d: d.update(images=images), facts=facts).images

        return make

    def test_they_are_not_built_again_whatever_certificates_the_host_trusts(
        self, planned: Images, tmp_path: Path
    ) -> None:
        theirs = tmp_path / "theirs.crt"
        theirs.write_text("PEM")
        there = planned(HostFacts(), certificate_authority=str(theirs))
        carried = {image.build: image.reference for image in there.all}
        here = planned(HostFacts(carried_images=carried))
        assert tags(here) == tags(there)
        assert tags(here) != tags(planned(HostFacts()))
        assert not any(image.is_built for image in here.all)
        assert [image.recipe for image in here.all] == [image.recipe for image in there.all]

    def test_another_setting_builds_the_image_that_it_changes(self, planned: Images) -> None:
        carried = {image.build: image.reference for image in planned(HostFacts()).all}
        facts = HostFacts(carried_images=carried)
        changed = planned(facts, ollama={"build": True, "version": "0.17.3"})
        assert [image.is_built for image in changed.all] == [False, False, True]
