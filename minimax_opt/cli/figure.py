"""``minimax-opt figure``: draw the figure of a report again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minimax_opt.cli.outcome import NOT_CERTIFIED, OK, UsageError
from minimax_opt.cli.output import draw, figure_names, prepare
from minimax_opt.comparison.printer import Printer


def add(commands: Any) -> None:
    """Add the command to the parser."""
    figure = commands.add_parser(
        "figure", help="draw the figure of a report again", description="Draw the figure of a report again."
    )
    figure.add_argument(
        "report", type=Path, metavar="REPORT.json", help="a report.json of `minimax-opt demo` or `minimax-opt solve`"
    )
    figure.add_argument("--output", type=Path, metavar="DIR", help="folder for the PNG and the PDF (default: that of the report)")
    figure.set_defaults(run=run)


def run(arguments: argparse.Namespace, say: Printer) -> int:
    """Draw, and return the exit code."""
    from minimax_opt.comparison import read_report
    from minimax_opt.comparison.report import command_of

    try:
        report = read_report(arguments.report)
    except (OSError, ValueError) as error:
        raise UsageError(error) from None
    folder, command = arguments.output or arguments.report.parent, command_of(report)
    prepare(folder, tuple(figure_names(command).values()))
    return OK if draw(report, folder, command, say) else NOT_CERTIFIED
