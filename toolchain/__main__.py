"""The command line: python -m toolchain SUBCOMMAND. `make` calls it; see --help."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain.engine_choice import EngineChoice, engine_choice
from toolchain.errors import ToolchainError
from toolchain.places import Places, places_from

DEFAULT_STACK = "demo"


def parser() -> argparse.ArgumentParser:
    """Describe the subcommands."""
    top = argparse.ArgumentParser(prog="toolchain", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("env", help="print the shell settings for a bare `pulumi`")
    for name, text in (
        ("setup", "get everything that a stack needs onto this host"),
        ("doctor", "tell what is there, what is missing, what setup would do; change nothing"),
        ("up", "set up, converge the stack and print the model's answer"),
        ("preview", "show what `up` would change; change nothing"),
        ("report", "make a page that shows the stack; change nothing"),
        ("verify", "compare every byte of the models with what was signed; change nothing"),
        ("usage", "tell the room on disk by model, run and kind; change nothing"),
        ("prune", "show what no stack refers to, ask, and remove it"),
        ("down", "destroy the stack; leave nothing but the cache folder"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("stack", nargs="?", default=DEFAULT_STACK)
        if name in ("report", "verify"):
            command.add_argument("--key", help="a file: the key that signs where models come from")
        if name == "prune":
            command.add_argument("--images", action="store_true", help="built images too")
            command.add_argument("--yes", action="store_true", help="do not ask")
        if name == "down":
            command.add_argument("--clean", action="store_true", help="remove downloads too")
    chat = commands.add_parser("chat", help="talk to a served model in this terminal or pipe")
    chat.add_argument("stack", nargs="?", default=DEFAULT_STACK)
    chat.add_argument("model", nargs="?", help="its name; needed where the stack serves several")
    bundle = commands.add_parser("bundle", help="write one archive that takes a stack elsewhere")
    bundle.add_argument("stack", nargs="?", default=DEFAULT_STACK)
    bundle.add_argument("file", nargs="?", type=Path, help="bundles/STACK.tar, if not given")
    new = commands.add_parser("new", help="write the two files of a new stack")
    new.add_argument("stack", help="its name")
    new.add_argument("source", help="a stack, or a file under stack_configs/, to copy from")
    test = commands.add_parser("test", help="set up and run pytest")
    test.epilog = "everything after `test` goes to pytest"
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; an operator's mistake is a message, not a trace."""
    options, rest = parser().parse_known_args(arguments)
    if rest and options.command != "test":
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return dispatch(options, rest, places_from(os.environ))
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run it again to go on from here", file=sys.stderr)
        return 130


def dispatch(options: argparse.Namespace, rest: Sequence[str], places: Places) -> int:
    """Call what the subcommand stands for."""
    if options.command == "env":
        return print_environment(places)
    if options.command == "test":
        return _pytest(rest, places)
    if options.command == "new":
        return _new(options, places)
    act = {
        "setup": _setup,
        "doctor": _doctor,
        "up": _up,
        "preview": _preview,
        "report": _report,
        "chat": _chat,
        "verify": _verify,
        "bundle": _bundle,
        "usage": _usage,
        "prune": _prune,
        "down": _down,
    }
    return act[options.command](options, places, engine_choice(places, options.stack))


def print_environment(places: Places) -> int:
    """Print export lines for eval; needs a finished setup."""
    from toolchain.environment import ensure_state, pulumi_settings  # noqa: PLC0415

    folder = _cli_folder(places)
    ensure_state(places)
    for name, value in pulumi_settings(places, folder).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _environment(places: Places) -> dict[str, str]:
    """What the CLI runs in, where a setup has been."""
    from toolchain.environment import pulumi_environment  # noqa: PLC0415

    return pulumi_environment(places, _cli_folder(places))


def _cli_folder(places: Places) -> Path:
    from toolchain.cli import find_cli  # noqa: PLC0415

    cli = find_cli(places)
    if cli is None:
        msg = "there is no Pulumi CLI yet: run `make setup` first"
        raise ToolchainError(msg)
    return cli.folder


# Each of these imports what it needs: doctor runs where nothing is installed yet.


def _setup(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain.setup import set_up  # noqa: PLC0415

    set_up(places, choice)
    return 0


def _doctor(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain.doctor import doctor  # noqa: PLC0415

    return doctor(places, choice, ("debian:trixie-slim",))


def _up(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain import setup, stack  # noqa: PLC0415

    return stack.up(places, options.stack, setup.set_up(places, choice))


def _preview(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain import doctor, stack  # noqa: PLC0415
    from toolchain.cli import find_cli  # noqa: PLC0415
    from toolchain.environment import pulumi_environment  # noqa: PLC0415

    doctor.require(doctor.preview_rows(places, choice, options.stack), "preview")
    cli = find_cli(places)
    assert cli is not None  # noqa: S101 - a row of its own
    return stack.preview(places, options.stack, pulumi_environment(places, cli.folder))


def _chat(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain import chat  # noqa: PLC0415

    return chat.chat(places, choice, options.stack, options.model, _environment(places))


def _report(options: argparse.Namespace, places: Places, _choice: EngineChoice) -> int:
    from toolchain import stack_report  # noqa: PLC0415

    return stack_report.report(places, options.stack, _environment(places), key=options.key)


def _verify(options: argparse.Namespace, places: Places, _choice: EngineChoice) -> int:
    from toolchain import stack_report  # noqa: PLC0415

    return stack_report.verify(places, options.stack, _environment(places), key=options.key)


def _bundle(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain.bundle import bundle  # noqa: PLC0415

    return bundle.make(places, choice, options.stack, options.file)


def _usage(options: argparse.Namespace, places: Places, _choice: EngineChoice) -> int:
    from toolchain import retention  # noqa: PLC0415

    return retention.usage(places, options.stack, _environment(places))


def _prune(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain import retention  # noqa: PLC0415

    environment = _environment(places)
    return retention.prune(
        places, choice, options.stack, environment, images=options.images, yes=options.yes
    )


def _down(options: argparse.Namespace, places: Places, choice: EngineChoice) -> int:
    from toolchain import setup, stack, teardown  # noqa: PLC0415

    status = 0
    # Where no state is there is nothing to destroy, and nothing to set up for that.
    backend = places.local_backend
    if backend is None or options.stack in stack.local_stacks(backend):
        status = stack.down(places, options.stack, setup.set_up_tools(places, choice))
    else:
        print(f"==> The stack {options.stack} is not there: nothing to destroy", flush=True)
    if status == 0:
        teardown.tidy_up(places, choice, clean=options.clean)
    return status


def _new(options: argparse.Namespace, places: Places) -> int:
    from toolchain import new_stack  # noqa: PLC0415

    return new_stack.new(places, options.stack, options.source)


def _pytest(arguments: Sequence[str], places: Places) -> int:
    from toolchain import setup  # noqa: PLC0415
    from toolchain.process import follow  # noqa: PLC0415

    if leaves_engine_out(arguments):
        environment = setup.set_up_cli(places)
    else:
        environment = setup.set_up(places, engine_choice(places))
        setup.set_up_tests(places)
    command = [places.venv / "bin" / "python", "-m", "pytest", *arguments]
    return follow(command, env=environment, cwd=places.repository)


def leaves_engine_out(arguments: Sequence[str]) -> bool:
    """Tell whether pytest's own `-m` deselects every test that speaks to an engine."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("-m", dest="marks", default="")
    marks = str(reader.parse_known_args(arguments)[0].marks)
    return "not engine" in marks and " or " not in marks


if __name__ == "__main__":
    sys.exit(main())
