"""``minimax-opt reproduce``: the theory's claims, measured."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minimax_opt.cli.arguments import count, seed
from minimax_opt.cli.outcome import INTERRUPTED, NOT_CERTIFIED, OK, UsageError
from minimax_opt.cli.output import prepare
from minimax_opt.comparison.printer import Printer

if TYPE_CHECKING:
    from minimax_opt.reproduce import Experiment
    from minimax_opt.reproduce.run import Outcome

OUTPUT, REPORT = "minimax_reproduce", "report.html"
DESCRIPTION = """\
Measure what docs/theory/ proves: run the experiments, save each result, draw its figures, and write report.html, which says for
every claim what it states, what it predicts, what was measured, and whether it holds. What is saved is not computed again: after
Ctrl-C the same command continues. Figures need matplotlib, the exact worst cases cvxpy and PEPit: pip install "minimax_opt[theory]".
"""
EXIT_CODES = (
    "Exit codes: 0 every claim holds, 1 a claim does not hold or an experiment failed, 2 wrong usage or a file or stdout that cannot be "
    "written, 130 interrupted."
)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    reproduce = commands.add_parser(
        "reproduce", help="the theory's claims, measured: a report with figures", description=DESCRIPTION, epilog=EXIT_CODES
    )
    reproduce.add_argument("names", nargs="*", metavar="NAME", help="experiments to run (default: all; see --list)")
    reproduce.add_argument("--list", action="store_true", help="list the experiments and stop")
    reproduce.add_argument("--quick", action="store_true", help="smaller and shorter: a minute or two in all")
    reproduce.add_argument(
        "--output", type=Path, default=Path(OUTPUT), metavar="DIR", help=f"folder to write to (default: ./{OUTPUT})"
    )
    reproduce.add_argument("--seed", type=seed, default=0, help="of everything random (default: 0)")
    reproduce.add_argument("--fresh", action="store_true", help="compute again what is saved already")
    reproduce.add_argument(
        "--jobs", type=count, metavar="N", help="experiments at once; the results do not depend on it (default: one a core)"
    )
    reproduce.add_argument("--no-figure", dest="figure", action="store_false", help="do not draw")
    reproduce.set_defaults(run=run)


def run(arguments: argparse.Namespace, say: Printer) -> int:
    """Compute, draw, print and write; return the exit code."""
    from minimax_opt.reproduce import EXPERIMENTS
    from minimax_opt.reproduce.run import find_experiments

    if arguments.list:
        say(_list(EXPERIMENTS))
        return OK
    try:
        experiments = find_experiments(arguments.names, EXPERIMENTS)
    except ValueError as error:
        raise UsageError(error) from None
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    prepare(arguments.output, _files(experiments, arguments.figure))
    try:
        _run(experiments, arguments, say, outcomes)
    except KeyboardInterrupt:
        told = (
            f"Interrupted: {len(outcomes)} of {len(experiments)} experiments are done, their results are in {arguments.output}."
        )
        print(f"{told} Continue with: {_command(arguments)}", file=sys.stderr)
        return INTERRUPTED
    order = [experiment.name for experiment in experiments]
    outcomes.sort(key=lambda outcome: order.index(outcome.name))
    return _report(outcomes, arguments, say, time.perf_counter() - start)


def _run(experiments: Sequence[Experiment], arguments: argparse.Namespace, say: Printer, outcomes: list[Outcome]) -> None:
    """Run the experiments; one line for each as it ends."""
    from minimax_opt.comparison.run import Progress
    from minimax_opt.reproduce.processes import run_experiments, usable_cores
    from minimax_opt.reproduce.run import Job
    from minimax_opt.reproduce.store import origin

    progress = Progress()
    width = max((len(experiment.name) for experiment in experiments), default=0)

    def announce(names: list[str]) -> None:
        progress(f"{len(outcomes)} of {len(experiments)} done, running: {', '.join(names)}")

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress("")
        for note in outcome.notes:
            print(f"{outcome.name}: {note}", file=sys.stderr)
        took = "" if outcome.seconds is None else f"  {outcome.seconds:6.1f} s{' (saved before)' if outcome.reused else ''}"
        say(f"{outcome.name:<{width}}  {outcome.verdict}{took}")

    job = Job(arguments.output, origin(arguments.quick, arguments.seed), arguments.fresh, arguments.figure)
    try:
        run_experiments(experiments, job, done, arguments.jobs or usable_cores(), announce)
    finally:
        progress("")


def _report(outcomes: Sequence[Outcome], arguments: argparse.Namespace, say: Printer, seconds: float) -> int:
    """Write the report, say how many claims hold and which do not."""
    from minimax_opt.comparison.files import write_atomically
    from minimax_opt.reproduce.report import headline, report_text
    from minimax_opt.reproduce.store import origin

    made = origin(arguments.quick, arguments.seed)
    text = report_text(outcomes, arguments.output, _command(arguments), made, seconds)
    path = write_atomically(arguments.output / REPORT, text)
    for outcome in outcomes:
        for claim in outcome.claims:
            if not claim.holds:
                say(
                    f"\nDOES NOT HOLD ({outcome.name}): {claim.statement}\n  bound:    {claim.bound}\n  measured: {claim.measured}"
                )
    say(f"\n{headline(outcomes)} ({seconds:.1f} s)\nWrote {path}")
    return OK if all(outcome.holds for outcome in outcomes) else NOT_CERTIFIED


def _files(experiments: Sequence[Experiment], figures: bool) -> list[str]:
    """All that is going to be written."""
    drawn = [f"{name}.{form}" for experiment in experiments for name in experiment.figures for form in ("png", "pdf")]
    return [REPORT, *(f"{experiment.name}.json" for experiment in experiments), *(drawn if figures else ())]


def _list(experiments: Sequence[Experiment]) -> str:
    width = max((len(experiment.name) for experiment in experiments), default=0)
    return "\n".join(f"{experiment.name:<{width}}  {experiment.title}" for experiment in experiments)


def _command(arguments: argparse.Namespace) -> str:
    """The command that makes, or goes on to make, this report: without --fresh, which would begin again."""
    words = ["minimax-opt", "reproduce", *arguments.names, *(["--quick"] if arguments.quick else [])]
    words += ["--seed", str(arguments.seed)] if arguments.seed else []
    words += ["--output", str(arguments.output)] if arguments.output != Path(OUTPUT) else []
    return shlex.join(words + ([] if arguments.figure else ["--no-figure"]))
