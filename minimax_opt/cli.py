"""The ``minimax-opt`` command."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OK, NOT_CERTIFIED, USAGE, INTERRUPTED = 0, 1, 2, 130
FORMS = ("png", "pdf")

DESCRIPTION = "Certified worst-case solutions: min over x of the worst weighted loss over several tasks."
DEMO = """\
Solve problems on real data with natural groups, which ships in installed packages. For each: the average model (least mean loss
over all rows), the worst-case model (least worst case over the tasks), a proven lower bound on what any model of this kind can
reach, and cvxpy's value beside it. Writes report.json, demo.png and demo.pdf."""
EXIT_CODES = (
    "Exit codes: 0 all certified and no reference disagrees, 1 otherwise, 2 wrong usage or missing data, 130 interrupted."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` is ``sys.argv[1:]`` by default. Returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return OK
    try:
        return int(arguments.run(arguments))
    except _UsageError as error:
        print(f"minimax-opt {arguments.command}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


class _UsageError(Exception):
    """Something that the user can put right; its text is shown without a traceback."""


def _demo(arguments: argparse.Namespace) -> int:
    from minimax_opt.demo import (
        CASES,
        MissingDataError,
        Progress,
        all_certified,
        find_cases,
        problem_text,
        run_cases,
        summary_text,
        write_report,
    )
    from minimax_opt.demo.adversaries import parse_adversary

    if arguments.list:
        width = max(len(case.name) for case in CASES)
        print("\n".join(f"{case.name:<{width}}  {case.title}" for case in CASES))
        return OK
    try:
        cases = find_cases(arguments.names)
        if arguments.ambiguity is not None:
            adversary = parse_adversary(arguments.ambiguity)
            cases = tuple(dataclasses.replace(case, adversary=adversary) for case in cases)
        arguments.output.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is told before the work, not after
    except (ValueError, OSError) as error:
        raise _UsageError(error) from None

    def show(problem: dict[str, Any]) -> None:
        if not arguments.quiet:
            print(problem_text(problem, arguments.max_tasks), end="\n\n", flush=True)

    try:
        report = run_cases(cases, arguments.tol, arguments.reference, Progress(enabled=arguments.progress), show)
    except MissingDataError as error:
        raise _UsageError(error) from None
    written = [write_report(arguments.output / "report.json", report)]
    if len(report["problems"]) > 1 and not arguments.quiet:
        print(summary_text(report), end="\n\n")
    if arguments.figure and any("worst_case" in problem for problem in report["problems"]):
        written += _draw(report, arguments.output)
    print("Wrote " + ", ".join(str(path) for path in written))
    if report["status"] == "interrupted":
        print(
            "Interrupted: the report holds what was solved, and the best x so far of the problem that was running.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return OK if all_certified(report) else NOT_CERTIFIED


def _figure(arguments: argparse.Namespace) -> int:
    from minimax_opt.demo import read_report

    try:
        report = read_report(arguments.report)
    except (OSError, ValueError) as error:
        raise _UsageError(error) from None
    written = _draw(report, arguments.output or arguments.report.parent)
    if not written:
        return NOT_CERTIFIED
    print("Wrote " + ", ".join(str(path) for path in written))
    return OK


def _draw(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write the figure in every form; without matplotlib, say so and write none."""
    from minimax_opt.demo.files import write_atomically
    from minimax_opt.figures.demo import draw_demo
    from minimax_opt.figures.style import render

    try:
        figure = draw_demo(report)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('No figure: matplotlib is not installed. Run: pip install "minimax_opt[data]"', file=sys.stderr)
        return []
    except ValueError as error:
        raise _UsageError(error) from None
    return [write_atomically(folder / f"demo.{form}", render(figure, form)) for form in FORMS]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minimax-opt", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"minimax-opt {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_demo(commands)
    figure = commands.add_parser(
        "figure", help="draw the figure of a report again", description="Draw the figure of a report again."
    )
    figure.add_argument("report", type=Path, metavar="REPORT.json", help="a report.json of `minimax-opt demo`")
    figure.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for demo.png and demo.pdf (default: that of the report)"
    )
    figure.set_defaults(run=_figure)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="average and worst-case models on real data, certified", description=DEMO, epilog=EXIT_CODES
    )
    demo.add_argument("names", nargs="*", metavar="NAME", help="problems to solve (default: all; see --list)")
    demo.add_argument("--list", action="store_true", help="list the problems and stop")
    demo.add_argument(
        "--output", type=Path, default=Path("minimax_demo"), metavar="DIR", help="folder to write to (default: ./minimax_demo)"
    )
    demo.add_argument("--tol", type=_tolerance, default=1e-9, help="certified relative gap to reach (default: 1e-9)")
    demo.add_argument(
        "--ambiguity",
        metavar="SET",
        help="replace every problem's ambiguity set: simplex, cvar:TAIL_FRACTION, kl:RADIUS or chi-square:RADIUS",
    )
    demo.add_argument("--max-tasks", type=_count, default=10, metavar="N", help="rows of each table (default: 10)")
    demo.add_argument("--no-reference", dest="reference", action="store_false", help="do not compare with cvxpy")
    demo.add_argument("--no-figure", dest="figure", action="store_false", help="do not draw")
    demo.add_argument("--quiet", action="store_true", help="no tables, only the files written")
    demo.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="progress on stderr (default: where stderr is a terminal)",
    )
    demo.set_defaults(run=_demo)


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def _version() -> str:
    try:
        return version("minimax_opt")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
