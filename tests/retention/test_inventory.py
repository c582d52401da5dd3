"""What is in use, what is kept, what stays for others, and what is left over."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plan import labels, paths
from plan.codec import encode
from plan.marker import ArtefactMarker
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.removal import HubSnapshot
from plan.step import ContainerStepPlan
from plan.survey import FoundFolder
from report.state import StateError, read_state
from retention.inventory import inventory
from retention.items import Folder, Item, Standing, Thing
from tests.report.conftest import MADE, OWNER, exported, folder_of
from tests.retention.conftest import faster, items_of, partial, sight_of, slower, state_of

Planned = Callable[..., tuple[PipelinePlan, dict[str, Any]]]
OLLAMA = "finetune-stack/ollama:0123"


def sft_of(plan: PipelinePlan) -> ContainerStepPlan:
    return next(step for step in plan.models[0].steps if step.noun == "training-run")


def left_over(items: dict[str, Item]) -> set[str]:
    return {name for name, item in items.items() if item.standing is Standing.LEFT_OVER}


def test_nothing_of_a_stack_that_came_up_once_is_left_over(planned: Planned) -> None:
    plan, settings = planned()
    items = items_of(state_of(plan, settings), sight_of(plan))
    assert {item.standing for item in items.values()} == {Standing.IN_USE}
    assert len(items) >= 8, "two models, each of several steps, and their data"


def test_what_another_setting_superseded_is_left_over(planned: Planned) -> None:
    now, settings = planned(faster)
    before, _ = planned()
    items = items_of(state_of(now, settings), sight_of(now, before))
    changed = [
        step.identity
        for step in before.models[0].steps
        if step not in now.models[0].steps and step.noun != "base-model"
    ]
    assert left_over(items) == {*changed}
    item = items[sft_of(before).identity]
    assert (item.kind, item.model, item.step, item.why) == (
        *("checkpoints", "guide", "sft"),
        "superseded",
    )
    assert isinstance(item.way_out, Folder)
    assert item.way_out.doomed.path == str(sft_of(before).artefact)
    assert items[sft_of(now).identity].way_out is None


def test_so_many_stay_as_the_settings_keep(planned: Planned) -> None:
    def kept(document: dict[str, Any]) -> None:
        faster(document)
        document["models"][0]["keep"] = 1

    now, settings = planned(kept)
    last, first = planned()[0], planned(slower)[0]
    items = items_of(state_of(now, settings), sight_of(now, last, first))
    assert items[sft_of(last).identity].standing is Standing.KEPT
    assert items[sft_of(last).identity].why == "keep is 1"
    assert sft_of(first).identity in left_over(items)


def test_work_that_the_settings_still_want_is_gone_on_with(planned: Planned) -> None:
    """The last up has failed or was interrupted: the state alone has the step as it was."""
    now, settings = planned(faster)
    before, _ = planned()
    begun = partial(folder_of(sft_of(now), seconds=None))
    given_up = partial(folder_of(sft_of(planned(slower)[0]), seconds=None))
    # The steps are those of the up before, the references those of the one that failed.
    failed = replace(before, leftovers=now.leftovers)
    items = items_of(state_of(failed, settings), sight_of(before, more=[begun, given_up]))
    assert items[f"{sft_of(now).identity}.partial"].standing is Standing.IN_USE
    assert left_over(items) == {f"{sft_of(planned(slower)[0]).identity}.partial"}
    assert items[sft_of(before).identity].standing is Standing.IN_USE


def test_a_removal_that_broke_off_is_finished(planned: Planned) -> None:
    now, settings = planned(faster)
    folder = folder_of(sft_of(planned()[0]), seconds=None)
    begun = replace(folder, path=f"{folder.path}{paths.REMOVED}")
    items = items_of(state_of(now, settings), sight_of(now, more=[begun]))
    assert left_over(items) == {begun.path.rpartition("/")[2]}


@pytest.mark.parametrize("stack", ["finetune-stack-other", ""])
def test_what_others_have_made_stays(planned: Planned, stack: str) -> None:
    plan, settings = planned()
    marker = ArtefactMarker(identity="0123", step="finetune-stack-other-a-sft", stack=stack)
    texts = {paths.MARKER: encode(marker)} if stack else {}
    theirs = FoundFolder(path=str(paths.RUNS / "0123"), bytes=5, modified=MADE, texts=texts)
    items = items_of(state_of(plan, settings), sight_of(plan, more=[theirs]))
    assert items["0123"].standing is Standing.STAYS
    assert items["0123"].way_out is None


class TestSharedDirectories:
    """Two stacks that have the same directory of the host."""

    @staticmethod
    def sharing(document: dict[str, Any]) -> None:
        document["volumes"] = {"output": {"host_path": "/srv/output"}}

    def faster_and_sharing(self, document: dict[str, Any]) -> None:
        faster(document)
        self.sharing(document)

    def served(self, stack: str, path: str = "/srv/output") -> dict[str, Any]:
        return {
            "Names": [f"/{stack}-ollama-server"],
            "State": "running",
            "Labels": {labels.STACK: stack, labels.OWNER: "ffff"},
            "Mounts": [{"Type": "bind", "Source": path, "Destination": "/app/output"}],
        }

    def test_nothing_goes_while_one_of_them_is_unknown(self, planned: Planned) -> None:
        now, settings = planned(self.faster_and_sharing)
        before, _ = planned()
        containers = [self.served("finetune-stack-other", "/srv")]
        items = items_of(state_of(now, settings), sight_of(now, before, containers=containers))
        assert left_over(items) == set()
        why = items[sft_of(before).identity].why
        assert why == "finetune-stack-other has it too, and nobody here knows what of it"

    def test_what_the_other_refers_to_stays(self, planned: Planned) -> None:
        now, settings = planned(self.faster_and_sharing)
        before, theirs = planned(self.sharing)
        other = Owner(stack="finetune-stack-other", id="ffff")
        others = state_of(replace(before, owner=other), theirs)
        first = planned(slower)[0]
        sight = sight_of(now, before, first, containers=[self.served(other.stack)])
        items = items_of(state_of(now, settings), sight, others)
        assert items[sft_of(before).identity].standing is Standing.IN_USE
        assert sft_of(first).identity in left_over(items)

    def test_a_stack_with_a_directory_of_its_own_is_no_neighbour(self, planned: Planned) -> None:
        now, settings = planned(self.faster_and_sharing)
        before, _ = planned()
        containers = [self.served("finetune-stack-other", "/srv/other")]
        items = items_of(state_of(now, settings), sight_of(now, before, containers=containers))
        assert sft_of(before).identity in left_over(items)


class TestAtWork:
    def container(self, identity: str, command: str = "", **given: str) -> dict[str, Any]:
        return {
            "Names": ["/a-step"],
            "State": "running",
            "Command": command,
            "Labels": {**OWNER.labels, labels.STEP: "a", labels.IDENTITY: identity, **given},
            "Mounts": [
                {"Type": "volume", "Name": f"{OWNER.stack}-output", "Destination": "/app/output"}
            ],
        }

    def test_a_superseded_step_that_runs_keeps_everything_that_it_may_read(
        self, planned: Planned
    ) -> None:
        now, settings = planned(faster)
        before, _ = planned()
        running = self.container(sft_of(before).identity)
        items = items_of(state_of(now, settings), sight_of(now, before, containers=[running]))
        assert not {item.kind for item in items.values() if item.way_out} & {"checkpoints", "GGUF"}

    def test_a_step_of_the_settings_keeps_nothing_but_its_own(self, planned: Planned) -> None:
        now, settings = planned(faster)
        before, _ = planned()
        running = self.container(sft_of(now).identity)
        items = items_of(state_of(now, settings), sight_of(now, before, containers=[running]))
        assert sft_of(before).identity in left_over(items)

    def test_what_a_service_was_started_with_stays(self, planned: Planned) -> None:
        now, settings = planned(faster)
        before, _ = planned()
        service = self.container("", command=f"api --adapter={sft_of(before).artefact}")
        items = items_of(state_of(now, settings), sight_of(now, before, containers=[service]))
        assert items[sft_of(before).identity].standing is Standing.IN_USE


def test_data_that_no_registration_names_is_left_over(planned: Planned) -> None:
    plan, settings = planned()
    place = paths.DATA_FILES / "0123456789abcdef"
    gone = FoundFolder(path=str(place), bytes=5, modified=MADE)
    mine = FoundFolder(path=str(paths.MEDIA / "holidays"), bytes=5, modified=MADE)
    items = items_of(state_of(plan, settings), sight_of(plan, more=[gone, mine]))
    assert left_over(items) == {"files/0123456789abcdef"}
    assert "holidays" not in "".join(items), "an operator has put it there"


class TestBaseModels:
    """Models of the hub, whose files lie in its cache."""

    RECORD = '{"repo": "a/b-1B", "commit": "c0ffee", "total_bytes": 5000}'

    def fetched(self, identity: str, stack: str = OWNER.stack) -> FoundFolder:
        marker = ArtefactMarker(identity=identity, step=f"{OWNER.stack}-base-model-a--b-1B")
        texts = {
            paths.MARKER: encode(replace(marker, stack=stack)),
            paths.FETCHED: self.RECORD,
        }
        path = paths.artefact(identity, paths.HF_CACHE)
        return FoundFolder(path=str(path), bytes=10, modified=MADE, texts=texts)

    def test_one_that_nobody_trains_on_goes_with_its_files(self, planned: Planned) -> None:
        plan, settings = planned()
        items = items_of(state_of(plan, settings), sight_of(plan, more=[self.fetched("f1")]))
        item = items["f1"]
        assert (item.kind, item.bytes, item.standing) == (
            *("base model", 5010),
            Standing.LEFT_OVER,
        )
        assert isinstance(item.way_out, Folder)
        assert item.way_out.doomed.snapshot is not None
        assert item.way_out.doomed.snapshot.commit == "c0ffee"

    def test_one_of_modelscope_goes_out_of_its_own_cache(self, planned: Planned) -> None:
        plan, settings = planned()
        record = '{"hub": "modelscope", "repo": "a/b-1B", "commit": "c0ffee", "asked": "c0ffee"}'
        of_the_hub = self.fetched("f1")
        folder = replace(of_the_hub, texts={**of_the_hub.texts, paths.FETCHED: record})
        way_out = items_of(state_of(plan, settings), sight_of(plan, more=[folder]))["f1"].way_out
        assert isinstance(way_out, Folder)
        assert way_out.doomed.snapshot == HubSnapshot(
            repo="a/b-1B", commit="c0ffee", cache=str(paths.MODELSCOPE_CACHE)
        )

    def test_the_files_stay_where_the_settings_name_them(self, planned: Planned) -> None:
        snapshot = paths.HUB_CACHE / "models--a--b-1B/snapshots/c0ffee"

        def by_path(document: dict[str, Any]) -> None:
            document["models"][0]["base_model"] = {"path": str(snapshot)}

        plan, settings = planned(by_path)
        items = items_of(state_of(plan, settings), sight_of(plan, more=[self.fetched("f1")]))
        way_out = items["f1"].way_out
        assert isinstance(way_out, Folder)
        assert way_out.doomed.snapshot is None

    def test_the_files_stay_for_another_artefact_of_the_same_commit(self, planned: Planned) -> None:
        plan, settings = planned()
        more = [self.fetched("f1"), self.fetched("f2", "finetune-stack-other")]
        items = items_of(state_of(plan, settings), sight_of(plan, more=more))
        way_out = items["f1"].way_out
        assert isinstance(way_out, Folder)
        assert way_out.doomed.snapshot is None
        assert (items["f1"].bytes, items["f2"].bytes) == (10, 5010)

    def test_what_no_step_has_fetched_stays(self, planned: Planned) -> None:
        plan, settings = planned()
        theirs = FoundFolder(path=str(paths.HUB_CACHE / "models--x--y"), bytes=7, modified=MADE)
        items = items_of(state_of(plan, settings), sight_of(plan, more=[theirs]))
        assert items["models--x--y"].standing is Standing.STAYS


class TestImages:
    def image(self, *tags: str, image_id: str = "sha256:1") -> dict[str, Any]:
        return {"Id": image_id, "RepoTags": list(tags), "Size": 900, "SharedSize": 300}

    def items(self, planned: Planned, *images: dict[str, Any], **seen: Any) -> dict[str, Item]:
        plan, settings = planned()
        return items_of(state_of(plan, settings), sight_of(plan, images=images, **seen))

    def test_one_of_earlier_settings_is_left_over(self, planned: Planned) -> None:
        item = self.items(planned, self.image(OLLAMA))[OLLAMA]
        assert (item.standing, item.bytes) == (Standing.LEFT_OVER, 600)
        assert item.way_out == Thing(what="image", name=OLLAMA)

    @pytest.mark.parametrize(
        "tags", [("debian:trixie",), (), (OLLAMA, "acme/ollama:1")], ids=["base", "none", "named"]
    )
    def test_what_is_not_called_after_the_project_alone_is_no_item(
        self, planned: Planned, tags: tuple[str, ...]
    ) -> None:
        assert not {item.kind for item in self.items(planned, self.image(*tags)).values()} & {
            "images"
        }

    def test_one_that_a_container_has_stays(self, planned: Planned) -> None:
        container = {"ImageID": "sha256:1", "State": "exited", "Labels": {}}
        found = self.items(planned, self.image(OLLAMA), containers=[container])
        assert found[OLLAMA].standing is Standing.STAYS

    def test_all_stay_while_a_stack_lives_there_whose_state_is_not_here(
        self, planned: Planned
    ) -> None:
        labelled = {labels.STACK: "finetune-stack-x", labels.OWNER: "ffff"}
        container = {"ImageID": "sha256:2", "State": "running", "Labels": labelled}
        found = self.items(planned, self.image(OLLAMA), containers=[container])
        assert found[OLLAMA].standing is Standing.STAYS
        assert "finetune-stack-x" in found[OLLAMA].why


def test_a_container_that_failed_is_left_over(planned: Planned) -> None:
    plan, settings = planned()
    ended = {"Id": "f00", "Names": ["/s-sft"], "State": "exited"}
    mine = {**ended, "Labels": {**OWNER.labels, labels.STEP: "s-sft"}}
    theirs = {**ended, "Names": ["/t-sft"], "Labels": {labels.STACK: "t", labels.STEP: "t-sft"}}
    service = {**ended, "Names": ["/s-api"], "Labels": OWNER.labels}
    sight = sight_of(plan, containers=[mine, theirs, service])
    items = items_of(state_of(plan, settings), sight)
    assert left_over(items) == {"s-sft"}
    assert items["s-sft"].way_out == Thing(what="container", name="f00")


def test_a_state_that_does_not_say_what_it_refers_to_removes_nothing(planned: Planned) -> None:
    plan, settings = planned()
    earlier = replace(plan, leftovers=replace(plan.leftovers, references=None))
    with pytest.raises(StateError, match="make up STACK=test"):
        inventory(read_state(exported(earlier, settings)), (), sight_of(plan))
