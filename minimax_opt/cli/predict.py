"""``minimax-opt predict``: a saved model on a new table."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from minimax_opt.cli.arguments import add_read_options, read_file
from minimax_opt.cli.outcome import OK, UsageError
from minimax_opt.comparison.printer import Printer

DESCRIPTION = """\
Predict with a model.json that `minimax-opt solve` wrote, one line for each row of FILE: the prediction, and for classes their
probabilities. What the new rows have and training did not (categories, groups, missing entries) is told on stderr."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    predict = commands.add_parser("predict", help="predict with a model that solve saved", description=DESCRIPTION)
    predict.add_argument("model", type=Path, metavar="MODEL.json", help="a model.json of `minimax-opt solve`")
    predict.add_argument("file", type=Path, metavar="FILE", help="a CSV or Parquet file with the columns of training")
    predict.add_argument("--output", type=Path, metavar="OUT.csv", help="file to write to (default: stdout)")
    predict.add_argument("--average", action="store_true", help="use the average model instead of the worst-case model")
    predict.add_argument(
        "--keep", action="extend", nargs="+", default=[], metavar="COL", help="copy this column of FILE, such as an id"
    )
    add_read_options(predict)
    predict.set_defaults(run=run)


def _check_output(arguments: argparse.Namespace) -> None:
    """Raise before the work where the predictions would replace what they are made from."""
    output = arguments.output
    if output.is_dir():
        raise UsageError(
            f"{output}: `--output` must be a file, but is a folder. Name a file in it: {output / 'predictions.csv'}."
        )
    for name in ("model", "file"):
        path = getattr(arguments, name)
        if output.exists() and path.exists() and output.samefile(path):
            raise UsageError(
                f"{output}: `--output` would overwrite {name.upper()}, from which the predictions are made. Choose another."
            )


def run(arguments: argparse.Namespace, say: Printer) -> int:
    """Read, predict and write; return the exit code."""
    from minimax_opt.comparison.files import write_atomically
    from minimax_opt.tabular import TableError, load_model
    from minimax_opt.tabular.choose import require_column

    if arguments.output is not None:
        _check_output(arguments)
    try:
        model = load_model(arguments.model)
        frame = read_file(arguments.file, arguments)
        for name in arguments.keep:
            require_column(frame, name, "keep")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            table = model.predict_table(frame, "average" if arguments.average else "worst_case", arguments.keep)
    except TableError as error:
        raise UsageError(error) from None
    for warning in told:
        print(f"minimax-opt predict: {warning.message}.", file=sys.stderr)
    text = table.to_csv(index=False)
    if arguments.output is None:
        say(text.rstrip("\n"))
    else:
        say(f"Wrote {write_atomically(arguments.output, text)}: {len(table):,} predictions of {model.target.name}")
    return OK
