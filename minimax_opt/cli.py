"""The ``minimax-opt`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from minimax_opt.demo.printer import Printer

OK, NOT_CERTIFIED, USAGE, INTERRUPTED = 0, 1, 2, 130
REPORT, FIGURES = "report.json", {"png": "demo.png", "pdf": "demo.pdf"}
LEAST_TOLERANCE = 4 * sys.float_info.epsilon  # the least that minimize_max takes in float64

DESCRIPTION = "Certified worst-case solutions: min over x of the worst weighted loss over several tasks."
DEMO = """\
Solve problems on real data with natural groups, which ships in installed packages. For each: the average model (least mean loss
over all rows), the worst-case model (least worst case over the tasks), a proven lower bound on what any model of this kind can
reach, and cvxpy's value beside it. Writes report.json, demo.png and demo.pdf."""
EXIT_CODES = (
    "Exit codes: 0 all certified and no reference disagrees, 1 otherwise, 2 wrong usage, missing data or a file or stdout that "
    "cannot be written, 130 interrupted."
)


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
    except (_UsageError, OSError) as error:
        print(f"minimax-opt {arguments.command}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


class _UsageError(Exception):
    """Something that the user can put right; its text is shown without a traceback."""


def _demo(arguments: argparse.Namespace, say: Printer) -> int:
    from minimax_opt.demo import MissingDataError, Progress, all_certified, problem_text, run_cases, summary_text, write_report

    if arguments.list:
        say(_list())
        return OK
    cases = _cases(arguments)
    _prepare(arguments.output, (REPORT, *FIGURES.values()) if arguments.figure else (REPORT,))

    def show(problem: dict[str, Any]) -> None:
        if not arguments.quiet:
            say(problem_text(problem, arguments.max_tasks) + "\n")

    try:
        report = run_cases(cases, arguments.tol, arguments.reference, Progress(enabled=arguments.progress), show)
    except MissingDataError as error:
        raise _UsageError(error) from None
    path = write_report(arguments.output / REPORT, report)
    if len(report["problems"]) > 1 and not arguments.quiet:
        say(summary_text(report) + "\n")
    say(f"Wrote {path}")
    if arguments.figure and any("worst_case" in problem for problem in report["problems"]):
        try:
            _draw(report, arguments.output, say)
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


def _list() -> str:
    from minimax_opt.demo import CASES

    name, adversary = (
        max(map(len, column)) for column in zip(*((case.name, str(case.adversary)) for case in CASES), strict=True)
    )
    return "\n".join(f"{case.name:<{name}}  {case.adversary!s:<{adversary}}  {case.title}" for case in CASES)


def _cases(arguments: argparse.Namespace) -> Any:
    """The cases to solve; says which ones the chosen ambiguity set leaves out."""
    from minimax_opt.demo import find_cases, with_adversary
    from minimax_opt.demo.adversaries import parse_adversary

    try:
        cases = find_cases(arguments.names)
        if arguments.ambiguity is None:
            return cases
        cases, left_out = with_adversary(cases, parse_adversary(arguments.ambiguity), skip=not arguments.names)
    except ValueError as error:
        raise _UsageError(error) from None
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    return cases


def _prepare(folder: Path, names: Sequence[str]) -> None:
    from minimax_opt.demo.files import prepare_folder

    try:
        prepare_folder(folder, names)
    except OSError as error:
        raise _UsageError(
            f"{folder}: {error.strerror}. `--output` must be a folder where {', '.join(names)} can be written; choose another."
        ) from None


def _figure(arguments: argparse.Namespace, say: Printer) -> int:
    from minimax_opt.demo import read_report

    try:
        report = read_report(arguments.report)
    except (OSError, ValueError) as error:
        raise _UsageError(error) from None
    folder = arguments.output or arguments.report.parent
    _prepare(folder, tuple(FIGURES.values()))
    return OK if _draw(report, folder, say) else NOT_CERTIFIED


def _draw(report: dict[str, Any], folder: Path, say: Printer) -> bool:
    """Write the figure in every form; without matplotlib, say so and return False."""
    from minimax_opt.demo.files import write_atomically
    from minimax_opt.figures.demo import draw_demo
    from minimax_opt.figures.style import render

    try:
        figure = draw_demo(report)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('No figure: matplotlib is not installed. Run: pip install "minimax_opt[data]"', file=sys.stderr)
        return False
    except ValueError as error:
        raise _UsageError(error) from None
    images = {name: render(figure, form) for form, name in FIGURES.items()}  # all of them before the first is replaced
    say("Wrote " + ", ".join(str(write_atomically(folder / name, image)) for name, image in images.items()))
    return True


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
    value = _number(float, text)
    if not LEAST_TOLERANCE <= value < 1.0:
        raise argparse.ArgumentTypeError(
            f"must be a number of at least {LEAST_TOLERANCE:.2g} (four units of rounding) and less than 1, got {text!r}"
        )
    return value


def _count(text: str) -> int:
    value = _number(int, text)
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(value)


def _number(kind: Callable[[str], float], text: str) -> float:
    """`text` as a number, or nan, which is in no range: argparse would otherwise name the private function that failed."""
    try:
        return kind(text)
    except ValueError:
        return float("nan")


def _version() -> str:
    try:
        return version("minimax_opt")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
