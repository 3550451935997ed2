"""Kinds of arguments, and the options that several commands share."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEAST_TOLERANCE = 4 * sys.float_info.epsilon  # the least that minimize_max takes in float64


def tolerance(text: str) -> float:
    """A certified relative gap that float64 can reach."""
    value = _number(float, text)
    if not LEAST_TOLERANCE <= value < 1.0:
        raise argparse.ArgumentTypeError(
            f"must be a number of at least {LEAST_TOLERANCE:.2g} (four units of rounding) and less than 1, got {text!r}"
        )
    return value


def count(text: str) -> int:
    """A whole number of at least 1."""
    value = _number(int, text)
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(value)


def seed(text: str) -> int:
    """A whole number of at least 0."""
    value = _number(int, text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(value)


def strength(text: str) -> float:
    """A finite number of at least 0."""
    value = _number(float, text)
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number of at least 0, got {text!r}")
    return value


def share(text: str) -> float:
    """A number of at least 0 and less than 1."""
    value = _number(float, text)
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0 and less than 1, got {text!r}")
    return value


def fraction(text: str) -> float:
    """A number between 0 and 1, both excluded."""
    value = _number(float, text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, both excluded, got {text!r}")
    return value


def _number(kind: Callable[[str], float], text: str) -> float:
    """`text` as a number, or nan, which is in no range: argparse would otherwise name the private function that failed."""
    try:
        return kind(text)
    except ValueError:
        return float("nan")


def add_run_options(parser: Any, output: str, tol: float | None, default: str) -> None:
    """What every command that compares two models takes; `default` is `tol` in words."""
    parser.add_argument(
        "--output", type=Path, default=Path(output), metavar="DIR", help=f"folder to write to (default: ./{output})"
    )
    parser.add_argument("--tol", type=tolerance, default=tol, help=f"certified relative gap to reach (default: {default})")
    parser.add_argument("--max-tasks", type=count, default=10, metavar="N", help="rows of each table (default: 10)")
    parser.add_argument("--no-figure", dest="figure", action="store_false", help="do not draw")
    parser.add_argument("--quiet", action="store_true", help="no tables, only the files written")
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="progress on stderr (default: where stderr is a terminal)",
    )


def add_read_options(parser: Any) -> None:
    """How a text file is written."""
    reading = parser.add_argument_group("reading text files")
    reading.add_argument("--separator", metavar="SEP", help="between columns (default: a comma; a tab for .tsv)")
    reading.add_argument("--decimal", default=".", metavar="CHAR", help="decimal point (default: .)")
    reading.add_argument("--thousands", metavar="CHAR", help="thousands separator (default: none)")
    reading.add_argument("--encoding", default="utf-8-sig", metavar="NAME", help="of the text (default: utf-8)")
    reading.add_argument(
        "--missing",
        action="extend",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="what stands for a missing entry, beside NA and empty",
    )


def read_file(path: Path, arguments: argparse.Namespace) -> Any:
    """The table at `path`, read as :func:`add_read_options` says."""
    from minimax_opt.tabular import read_table

    separator = "\t" if arguments.separator in ("\\t", "tab") else arguments.separator
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        table = read_table(path, separator, arguments.decimal, arguments.thousands, arguments.encoding, arguments.missing)
    for warning in told:
        print(f"minimax-opt {arguments.command}: {warning.message}.", file=sys.stderr)
    return table
