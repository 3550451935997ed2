"""``minimax-opt demo``: real data that ships in installed packages."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from minimax_opt.cli.arguments import add_run_options
from minimax_opt.cli.outcome import EXIT_CODES, OK, UsageError
from minimax_opt.cli.output import REPORT, figure_names, finish, prepare
from minimax_opt.comparison.printer import Printer

DESCRIPTION = """\
Solve problems on real data with natural groups, which ships in installed packages. For each: the average model (least mean loss
over all rows), the worst-case model (least worst case over the tasks), a proven lower bound on what any model of this kind can
reach, and cvxpy's value beside it. Writes report.json, demo.png and demo.pdf."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser(
        "demo", help="average and worst-case models on real data, certified", description=DESCRIPTION, epilog=EXIT_CODES
    )
    demo.add_argument("names", nargs="*", metavar="NAME", help="problems to solve (default: all; see --list)")
    demo.add_argument("--list", action="store_true", help="list the problems and stop")
    demo.add_argument(
        "--ambiguity",
        metavar="SET",
        help="replace every problem's ambiguity set: simplex, cvar:TAIL_FRACTION, kl:RADIUS or chi-square:RADIUS",
    )
    demo.add_argument("--no-reference", dest="reference", action="store_false", help="do not compare with cvxpy")
    add_run_options(demo, output="minimax_demo", tol=1e-9, default="1e-9")
    demo.set_defaults(run=run)


def run(arguments: argparse.Namespace, say: Printer) -> int:
    """Solve, print and write; return the exit code."""
    from minimax_opt.demo import MissingDataError, Progress, problem_text, run_cases, summary_text, write_report

    if arguments.list:
        say(_list())
        return OK
    cases = _cases(arguments)
    prepare(arguments.output, (REPORT, *(figure_names("demo").values() if arguments.figure else ())))

    def show(problem: dict[str, Any]) -> None:
        if not arguments.quiet:
            say(problem_text(problem, arguments.max_tasks) + "\n")

    try:
        report = run_cases(cases, arguments.tol, arguments.reference, Progress(enabled=arguments.progress), show)
    except MissingDataError as error:
        raise UsageError(error) from None
    path = write_report(arguments.output / REPORT, report)
    if len(report["problems"]) > 1 and not arguments.quiet:
        say(summary_text(report) + "\n")
    say(f"Wrote {path}")
    return finish(report, path, "demo", arguments.figure, say)


def _list() -> str:
    from minimax_opt.demo import CASES

    name, adversary = (
        max(map(len, column)) for column in zip(*((case.name, str(case.adversary)) for case in CASES), strict=True)
    )
    return "\n".join(f"{case.name:<{name}}  {case.adversary!s:<{adversary}}  {case.title}" for case in CASES)


def _cases(arguments: argparse.Namespace) -> Any:
    """The cases to solve; says which ones the chosen ambiguity set leaves out."""
    from minimax_opt.comparison import parse_adversary
    from minimax_opt.demo import find_cases, with_adversary

    try:
        cases = find_cases(arguments.names)
        if arguments.ambiguity is None:
            return cases
        cases, left_out = with_adversary(cases, parse_adversary(arguments.ambiguity), skip=not arguments.names)
    except ValueError as error:
        raise UsageError(error) from None
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    return cases
