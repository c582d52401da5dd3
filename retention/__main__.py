"""What a stack takes on its host, and the way out for what no stack refers to.

  python -m retention usage STATE [OTHER...]           tell the room of each model, step and kind
  python -m retention prune STATE [OTHER...] [--yes]   show what is left over, ask, remove it
  python -m retention gone NAME [--engine ADDRESS] [--yes]   likewise of a stack without a state

STATE is what `pulumi stack export --file STATE` has written, OTHER the same of other stacks: what
those refer to stays. Images are a cache that stacks share: they go with --images only.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from plan import labels
from plan.owner import Owner
from report.look import image_with_python
from report.state import StackState, StateError, read_state
from report.words import size
from retention.gone import gone_items
from retention.inventory import inventory
from retention.items import Item, Standing
from retention.look import look_at_host
from retention.prune import prune
from retention.tables import NOTHING, counted, prune_table, usage_table
from runtime.docker.containers import list_containers
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.program import INTERRUPTED, Interrupted

Remove = Callable[[Sequence[Item]], bool]


def main(arguments: list[str]) -> int:
    """The exit code; 1 for what is wrong with the stack, the engine or the answer."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "gone":
            return tidy_gone(options.stack, options.engine, is_agreed=options.yes)
        state, *others = [_read(path) for path in (options.state, *options.others)]
        if options.command == "usage":
            return tell_usage(state, others)
        return tidy(state, others, images=options.images, is_agreed=options.yes)
    except (StateError, StepError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Interrupted):
        print("\nstopped: what is left can be pruned again", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(
        prog="python -m retention",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True)
    usage, tidying, gone = (commands.add_parser(name) for name in ("usage", "prune", "gone"))
    for command in (usage, tidying):
        command.add_argument("state", type=Path, metavar="STATE")
        command.add_argument("others", type=Path, nargs="*", metavar="OTHER")
    tidying.add_argument("--images", action="store_true", help="images that no stack refers to too")
    gone.add_argument("stack", metavar="NAME", help="its name in Pulumi")
    gone.add_argument("--engine", metavar="ADDRESS", help="unset: that of the docker client")
    for command in (tidying, gone):
        command.add_argument("--yes", action="store_true", help="do not ask")
    return top


def tell_usage(state: StackState, others: Sequence[StackState]) -> int:
    """Print the room that everything takes; the exit code."""
    sight = look_at_host(Engine(state.engine), state)
    items = inventory(state, others, sight)
    survey = sight.survey
    free, disk = size(survey.disk_free_bytes), size(survey.disk_bytes)
    print(f"{state.owner.stack}: {free} of {disk} are free where its output lies")
    for line in usage_table(items, is_terminal=sys.stdout.isatty()):
        print(line)
    if _left_over(items):
        print(f"make prune STACK={state.stack} shows what is left over, and removes it")
    return 0


def tidy(state: StackState, others: Sequence[StackState], *, images: bool, is_agreed: bool) -> int:
    """Show what is left over and remove it; the exit code."""
    engine = Engine(state.engine)
    sight = look_at_host(engine, state)
    left = _left_over(inventory(state, others, sight))
    doomed = [item for item in left if images or item.kind != "images"]
    if cached := [item for item in left if item not in doomed]:
        room = size(sum(item.bytes for item in cached))
        print(f"images: {room} in {counted(len(cached), 'item')} of the cache; IMAGES=1 takes them")

    def remove(agreed: Sequence[Item]) -> bool:
        # The operator may have thought for an hour.
        now = replace(sight, containers=list_containers(engine))
        still = [item for item in _left_over(inventory(state, others, now)) if item in agreed]
        if len(still) < len(agreed):
            print(f"{counted(len(agreed) - len(still), 'item')} of these are at work by now: stays")
        image = image_with_python(state)
        done = prune(engine, state.owner, still, image=image, mounts=state.mounts)
        return done and len(still) == len(agreed)

    return _agree_and_remove(doomed, remove, is_agreed=is_agreed)


def _left_over(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.standing is Standing.LEFT_OVER]


def tidy_gone(stack: str, address: str | None, *, is_agreed: bool) -> int:
    """The same of a stack that no state knows; the exit code."""
    engine, owner = Engine(address), Owner(stack=f"{labels.NAMESPACE}-{stack}")
    doomed = gone_items(engine, owner.stack)
    return _agree_and_remove(doomed, partial(prune, engine, owner), is_agreed=is_agreed)


def _agree_and_remove(doomed: Sequence[Item], remove: Remove, *, is_agreed: bool) -> int:
    if not doomed:
        print(NOTHING)
        return 0
    for line in prune_table(doomed, is_terminal=sys.stdout.isatty()):
        print(line)
    if not is_agreed and not _asks("Remove all of it?"):
        return 1
    if not remove(doomed):
        return 1
    print(f"removed {counted(len(doomed), 'item')}")
    return 0


def _asks(question: str) -> bool:
    """Whether the operator agrees; nobody does where there is nobody to ask."""
    if not sys.stdin.isatty():
        print("nothing is removed: there is nobody to ask. YES=1 says yes", file=sys.stderr)
        return False
    # As a prompt of `input` it would go to standard error.
    print(f"{question} [y/N] ", end="", flush=True)
    try:
        is_agreed = input().strip().lower() in ("y", "yes")
    except EOFError:
        is_agreed = False
    if not is_agreed:
        print("nothing is removed")
    return is_agreed


def _read(path: Path) -> StackState:
    try:
        return read_state(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path} cannot be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
