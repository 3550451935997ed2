"""The ``minimax-opt`` command: one file a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from minimax_opt.cli import demo, figure, predict, reproduce, solve
from minimax_opt.cli.arguments import LEAST_TOLERANCE
from minimax_opt.cli.outcome import INTERRUPTED, OK, USAGE, UsageError
from minimax_opt.comparison.printer import Printer

DESCRIPTION = "Certified worst-case solutions: min over x of the worst weighted loss over several tasks."
COMMANDS = (demo, solve, predict, reproduce, figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` is ``sys.argv[1:]`` by default. Returns the exit code."""
    parser, say = _parser(), Printer()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        say(parser.format_help().rstrip())
        return OK
    try:
        code = int(arguments.run(arguments, say))
        return USAGE if code == OK and say.failed else code
    except (UsageError, OSError) as error:
        print(f"minimax-opt {arguments.command}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minimax-opt", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"minimax-opt {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _version() -> str:
    try:
        return version("minimax_opt")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "(not installed)"


__all__ = ["LEAST_TOLERANCE", "main"]
