"""Run problems one after another; an interrupt keeps what is known so far."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TextIO

from minimax_opt.comparison.case import Case
from minimax_opt.comparison.reference import compare, has_reference, rounding_level, solve_reference
from minimax_opt.comparison.report import new_report
from minimax_opt.comparison.solve import solve_case


class Progress:
    """Says what is being done, on one line that is overwritten; silent where nobody looks.

    Parameters
    ----------
    stream : text stream
        Usually ``sys.stderr``.
    enabled : bool or None
        None: only where `stream` is a terminal.
    """

    def __init__(self, stream: TextIO | None = None, enabled: bool | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.terminal = self.stream.isatty()
        self.enabled = self.terminal if enabled is None else enabled

    def __call__(self, text: str) -> None:
        """Show `text`; an empty text clears the line."""
        if self.enabled and (text or self.terminal):
            try:
                self.stream.write(f"\r\x1b[2K{text}" if self.terminal else f"{text}\n")
                self.stream.flush()
            except OSError:  # nobody reads it any more: the work goes on
                self.enabled = False


def run_cases(
    cases: Sequence[Case],
    tol: float = 1e-9,
    reference: bool = True,
    progress: Progress | None = None,
    show: Callable[[dict[str, Any]], None] | None = None,
    command: str = "demo",
    seed: int | None = None,
) -> dict[str, Any]:
    """Solve the cases and return the report.

    Parameters
    ----------
    cases : sequence of Case
    tol : float
        Certified relative gap to reach.
    reference : bool
        Compare with cvxpy where it is installed.
    progress : Progress, optional
    show : callable
        Called with each finished problem's record.
    command : {"demo", "solve"}
        The command that the report is of.
    seed : int, optional
        What the report says of randomness in the data.

    Returns
    -------
    dict
        The report (see :mod:`minimax_opt.comparison.report`). After Ctrl-C its ``status`` is ``"interrupted"`` and its last problem may
        hold the best x so far, or lack the worst-case model.

    Raises
    ------
    MissingDataError
        Before anything is solved, if a package that carries the data is not installed.
    """
    progress = Progress(enabled=False) if progress is None else progress
    report = new_report(tol, command, seed)
    try:
        loaded = []
        for case in cases:
            progress(f"reading {case.name}")
            loaded.append((case, case.load()))
        for number, (case, data) in enumerate(loaded, start=1):
            stage = f"[{number}/{len(loaded)}] {case.name}: "
            record: dict[str, Any] = {}
            report["problems"].append(record)
            solve_case(case, data, tol, record, partial(_announce, progress, stage))
            if _was_interrupted(record):
                raise KeyboardInterrupt
            if reference and has_reference():
                progress(stage + "reference (cvxpy)")
                record["reference"] = compare(record["worst_case"], solve_reference(case, data), tol, rounding_level(case, data))
            progress("")
            if show is not None:
                show(record)
    except KeyboardInterrupt:
        report["status"] = "interrupted"
    progress("")
    return report


def _announce(progress: Progress, stage: str, text: str) -> None:
    progress(stage + text)


def _was_interrupted(record: dict[str, Any]) -> bool:
    """Whether the solver itself met the interrupt and returned the best x so far."""
    return any(record[model]["status"] == "INTERRUPTED" for model in ("average", "worst_case") if model in record)
