"""Who a thing on the engine belongs to: the stack, told from another user's of the same name."""

import pytest

from plan import labels
from plan.owner import Owner

STACK, OWNER = labels.STACK, labels.OWNER
OURS = Owner(stack="dev", id="a1")
NEW = Owner(stack="dev")
"""A stack that has not taken the host yet."""


@pytest.mark.parametrize(
    ("owner", "found", "owned"),
    [
        (OURS, {STACK: "dev", OWNER: "a1"}, True),
        (OURS, {STACK: "dev", OWNER: "b2"}, False),
        (OURS, {STACK: "prod", OWNER: "a1"}, False),
        # What a version made that drew no id.
        (OURS, {STACK: "dev"}, True),
        (NEW, {STACK: "dev"}, True),
        (NEW, {STACK: "dev", OWNER: "b2"}, True),
        (NEW, {STACK: "prod"}, False),
        # Nothing of ours: a label of somebody else's, an empty one, none at all.
        (OURS, {OWNER: "a1"}, False),
        (OURS, {STACK: ""}, False),
        (OURS, {"maintainer": "dev"}, False),
        (OURS, {}, False),
        (OURS, None, False),
        (NEW, None, False),
    ],
)
def test_what_is_whose(owner: Owner, found: dict[str, str] | None, owned: bool) -> None:
    assert owner.owns(found) is owned


@pytest.mark.parametrize("owner", [OURS, NEW])
def test_what_is_made_for_an_owner_is_the_owners(owner: Owner) -> None:
    assert owner.owns(owner.labels)
    assert owner.owns({**owner.labels, labels.STEP: "test-guide-sft"})


def test_two_stacks_of_one_name_do_not_own_each_others_things() -> None:
    theirs = Owner(stack="dev", id="b2")
    assert not OURS.owns(theirs.labels)
    assert not theirs.owns(OURS.labels)


def test_an_owner_without_an_id_labels_nothing_with_one() -> None:
    assert NEW.labels == {STACK: "dev"}
    assert OURS.labels == {STACK: "dev", OWNER: "a1"}
