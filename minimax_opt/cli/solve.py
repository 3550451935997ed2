"""``minimax-opt solve``: the user's own table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minimax_opt.cli.arguments import add_read_options, add_run_options, count, fraction, read_file, seed, share, strength
from minimax_opt.cli.outcome import EXIT_CODES, UsageError
from minimax_opt.cli.output import REPORT, figure_names, finish, prepare
from minimax_opt.comparison.printer import Printer

MODEL = "model.json"
DESCRIPTION = """\
Fit a linear model to your own CSV or Parquet file whose worst group is as good as it can be, beside the model with the least mean
loss, with a proven lower bound on what any model of this kind can reach. Writes model.json (see `minimax-opt predict`),
report.json, solve.png and solve.pdf."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    solve = commands.add_parser(
        "solve", help="the same for your own CSV or Parquet file", description=DESCRIPTION, epilog=EXIT_CODES
    )
    solve.add_argument("file", type=Path, metavar="FILE", help="a CSV or Parquet file with named columns")
    solve.add_argument("--target", required=True, metavar="COL", help="the column to predict")
    solve.add_argument(
        "--group",
        required=True,
        action="append",
        metavar="COL[:BINS]",
        help="the column whose values are the groups, or that many bins of a number; again for intersections",
    )
    _add_problem(solve)
    _add_columns(solve)
    held_out = solve.add_argument_group("does it carry over?").add_mutually_exclusive_group()
    held_out.add_argument("--test", type=Path, metavar="FILE", help="judge both models on the rows of this file")
    held_out.add_argument("--holdout", type=fraction, default=0.0, metavar="SHARE", help="hold out this share of each group")
    solve.add_argument("--seed", type=seed, default=0, help="of --holdout (default: 0)")
    add_read_options(solve)
    solve.add_argument(
        "--reference",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="compare with cvxpy (default: where it is installed and the table is small)",
    )
    add_run_options(solve, output="minimax_solve", tol=None, default="1e-8, with --l1 1e-6")
    solve.set_defaults(run=run)


def _add_problem(solve: Any) -> None:
    problem = solve.add_argument_group("the problem")
    problem.add_argument(
        "--loss",
        default="auto",
        metavar="LOSS",
        help="auto (by the target), least-squares, logistic, multinomial, huber[:DELTA], quantile[:QUANTILE] or poisson (default: auto)",
    )
    problem.add_argument(
        "--ambiguity",
        default="simplex",
        metavar="SET",
        help="simplex (the worst group), cvar:TAIL_FRACTION, kl:RADIUS or chi-square:RADIUS (default: simplex)",
    )
    problem.add_argument(
        "--floor",
        type=share,
        default=0.0,
        metavar="E",
        help="keep this share of the adversary's weights at the groups' shares of the rows (default: 0; 0.01 fits idle groups too)",
    )
    problem.add_argument(
        "--ridge", type=strength, default=1e-4, metavar="R", help="adds (R/2) |x|² without the intercept (default: 1e-4)"
    )
    problem.add_argument(
        "--l1", type=strength, default=0.0, metavar="C", help="adds C |x|₁ without the intercept: zero coefficients (default: 0)"
    )
    problem.add_argument("--positive", metavar="CLASS", help="the class that a logistic loss models (default: the last in order)")


def _add_columns(solve: Any) -> None:
    columns = solve.add_argument_group("columns and groups")
    for option, text in (
        ("--features", "use this column and no others but those named so"),
        ("--drop", "leave this column out"),
        ("--categorical", "read this column of numbers or text as categories"),
    ):
        columns.add_argument(option, action="extend", nargs="+", default=[], metavar="COL", help=text)
    columns.add_argument(
        "--min-group-size", type=count, default=1, metavar="N", help="merge the groups of fewer rows into one (default: 1)"
    )
    columns.add_argument(
        "--max-levels",
        type=count,
        default=50,
        metavar="N",
        help="categories of a column beyond this many, the rarest, share one coefficient (default: 50)",
    )


def run(arguments: argparse.Namespace, say: Printer) -> int:
    """Read, solve, print and write; return the exit code."""
    from minimax_opt.comparison import Progress, problem_text, write_report
    from minimax_opt.tabular import TableError, solve_table
    from minimax_opt.tabular.evaluate import held_out_text

    prepare(arguments.output, (MODEL, REPORT, *(figure_names("solve").values() if arguments.figure else ())))
    progress = Progress(enabled=arguments.progress)

    def show(problem: dict[str, Any]) -> None:
        if not arguments.quiet:
            say(problem_text(problem, arguments.max_tasks) + "\n")
            if "held_out" in problem:
                say(held_out_text(problem, arguments.max_tasks) + "\n")

    try:
        progress(f"reading {arguments.file}")
        frame = read_file(arguments.file, arguments)
        test = None if arguments.test is None else read_file(arguments.test, arguments)
        solution = solve_table(
            frame,
            arguments.target,
            arguments.group,
            **{name: getattr(arguments, name) for name in ("loss", "ambiguity", "floor", "ridge", "l1", "positive")},
            **{name: getattr(arguments, name) for name in ("features", "drop", "categorical", "min_group_size", "max_levels")},
            **{name: getattr(arguments, name) for name in ("holdout", "seed", "tol", "reference")},
            test=test,
            progress=progress,
            show=show,
            name=arguments.file.name.split(".")[0],
            source=str(arguments.file),
        )
    except TableError as error:
        raise UsageError(error) from None
    if solution.model is not None:
        say(f"Wrote {solution.model.save(arguments.output / MODEL)}")
    path = write_report(arguments.output / REPORT, solution.report)
    say(f"Wrote {path}")
    return finish(solution.report, path, "solve", arguments.figure, say)
