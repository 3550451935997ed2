"""What the commands write: a folder that is proved writable first, a report, its figure, and how the run ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minimax_opt.cli.outcome import INTERRUPTED, NOT_CERTIFIED, OK, UsageError
from minimax_opt.comparison.printer import Printer

REPORT = "report.json"
NAMED = 4  # files that a message lists


def figure_names(command: str) -> dict[str, str]:
    """File name of the figure by form: demo.png and demo.pdf."""
    return {form: f"{command}.{form}" for form in ("png", "pdf")}


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Make `folder`, or say before any work that files of these names cannot be written there."""
    from minimax_opt.comparison.files import prepare_folder

    try:
        prepare_folder(folder, names)
    except OSError as error:
        listed = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
        raise UsageError(
            f"{folder}: {error.strerror}. `--output` must be a folder where {listed} can be written; choose another."
        ) from None


def draw(report: dict[str, Any], folder: Path, command: str, say: Printer) -> bool:
    """Write the figure in every form; without matplotlib, say so and return False."""
    from minimax_opt.comparison.files import write_atomically
    from minimax_opt.figures.comparison import draw_comparison
    from minimax_opt.figures.style import render

    try:
        figure = draw_comparison(report)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('No figure: matplotlib is not installed. Run: pip install "minimax_opt[data]"', file=sys.stderr)
        return False
    except ValueError as error:
        raise UsageError(error) from None
    images = {name: render(figure, form) for form, name in figure_names(command).items()}  # all before the first is replaced
    say("Wrote " + ", ".join(str(write_atomically(folder / name, image)) for name, image in images.items()))
    return True


def finish(report: dict[str, Any], path: Path, command: str, figure: bool, say: Printer) -> int:
    """Draw the figure of a report that lies at `path` already, say what was interrupted, and return the exit code."""
    from minimax_opt.comparison import all_certified

    if figure and any("worst_case" in problem for problem in report["problems"]):
        try:
            draw(report, path.parent, command, say)
        except KeyboardInterrupt:
            print(f"Interrupted while drawing. Draw the figure with: minimax-opt figure {path}", file=sys.stderr)
            return INTERRUPTED
    if report["status"] == "interrupted":
        print(
            "Interrupted: the report holds what was solved, and the best x so far of the problem that was running.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return OK if all_certified(report) else NOT_CERTIFIED
