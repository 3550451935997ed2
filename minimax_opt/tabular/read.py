"""Read a CSV or Parquet file as a data frame; what is wrong with a file is told in one sentence with a way out."""

from __future__ import annotations

import os
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from minimax_opt.tabular.extras import PIP, TableError, pandas

PARQUET = (".parquet", ".pq")
OTHER_FORMATS = (".xlsx", ".xls", ".ods", ".feather", ".dta", ".sav", ".json", ".pkl", ".pickle")
SEPARATORS = {";": "';'", "\t": "'\\t'", "|": "'|'", ",": "','", " ": "' '"}


def read_table(
    path: str | os.PathLike[str],
    separator: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    encoding: str = "utf-8-sig",
    missing: Sequence[str] = (),
) -> Any:
    """Read a table with named columns.

    Parameters
    ----------
    path : path-like
        ``.parquet`` or ``.pq``: Parquet. Anything else is text with one row a line and the names in the first, compressed if the
        name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zip``.
    separator : str, optional
        One character between the columns of a text file: by default a tab for ``.tsv`` and ``.tab``, a comma otherwise.
    decimal, thousands, encoding : str
        How a text file writes numbers and letters; the first two are one character each, not the same.
    missing : sequence of str
        What stands for a missing entry in a text file, beside an empty entry, NA, NaN, null, None and pandas' other names.

    Returns
    -------
    pandas.DataFrame

    Warns
    -----
    UserWarning
        Where rows of a text file are shorter than its header: the entries that they lack are missing.

    Raises
    ------
    TableError
        For a file that is absent, empty, damaged, of another format or encoding, or that names two columns alike; and where pandas
        (or pyarrow, for Parquet) is not installed.
    """
    path, pd = Path(path), pandas()
    if not path.is_file():
        raise TableError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}.")
    if path.suffix.lower() in OTHER_FORMATS:
        raise TableError(f"{path}: {path.suffix} files are not read. Save the table as CSV or Parquet.")
    if path.suffix.lower() in PARQUET:
        frame = _read_parquet(path)
    else:
        if separator is None:
            separator = "\t" if {".tsv", ".tab"} & {s.lower() for s in path.suffixes} else ","
        _check_layout(separator, decimal, thousands)
        layout = {"sep": separator, "encoding": encoding, "skipinitialspace": True}
        frame = _read_text(path, layout, {"decimal": decimal, "thousands": thousands, "na_values": list(missing)})
    frame.columns = [str(name) for name in frame.columns]
    _refuse_doubles(path, list(frame.columns))
    if not len(frame):
        raise TableError(f"{path}: the table names {len(frame.columns)} columns but has no rows.")
    return frame.reset_index() if any(name is not None for name in frame.index.names) else pd.DataFrame(frame)


def _read_parquet(path: Path) -> Any:
    pd = pandas()
    try:
        return pd.read_parquet(path)
    except ImportError:
        raise TableError(f"{path}: Parquet needs pyarrow, which is not installed. {PIP}, or save the table as CSV.") from None
    except (ValueError, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file: {error}") from None


def _read_text(path: Path, layout: dict[str, Any], numbers: dict[str, Any]) -> Any:
    pd, names = pandas(), []
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **layout)
        names = [str(name) for name in header.iloc[0]]
        _check_header(path, names, layout["sep"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row that is longer than the header
            frame = pd.read_csv(path, index_col=False, low_memory=False, **layout, **numbers)
        _tell_short_rows(path, frame, layout)
        return frame
    except TableError:
        raise
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise TableError(f"{path}: {_why_not_parsed(error, names)}") from None
    except UnicodeError as error:
        encoding = layout["encoding"].removesuffix("-sig")  # utf-8-sig is utf-8 with or without a mark at its start
        raise TableError(f"{path}: not {encoding} text ({error}). Name its encoding, e.g. `--encoding latin-1`.") from None
    except LookupError as error:
        raise TableError(f"`--encoding`: {error}. Known names are utf-8, latin-1, cp1252, utf-16, ...") from None
    except (TypeError, ValueError, EOFError, OSError, BadZipFile, zlib.error, LZMAError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from None


def _check_layout(separator: str, decimal: str, thousands: str | None) -> None:
    """Raise where pandas would take a separator for a pattern, or read other numbers than the file holds."""
    if len(separator) != 1:
        raise TableError(f"`--separator` must be one character, got {separator!r}. Name it, e.g. `--separator ';'`.")
    for option, mark in (("decimal", decimal), ("thousands", thousands)):
        if mark is not None and (len(mark) != 1 or mark.isalnum() or mark in "+-"):
            raise TableError(f"`--{option}` must be one character, no letter, digit or sign, got {mark!r}.")
    if thousands == decimal:
        other = "," if decimal == "." else "."
        raise TableError(
            f"`--thousands {thousands}` and `--decimal {decimal}` (default: .) must differ. If {decimal!r} groups the digits, "
            f"pass `--decimal {other}` beside it."
        )


def _tell_short_rows(path: Path, frame: Any, layout: dict[str, Any]) -> None:
    """Warn of rows with fewer entries than the header, which lack the last one."""
    if not len(frame) or frame.shape[1] < 2 or not frame.iloc[:, -1].isna().any():
        return
    last = {"usecols": [frame.shape[1] - 1], "dtype": str, "keep_default_na": False, "index_col": False}
    entries = pandas().read_csv(path, engine="python", **last, **layout)  # slow, but tells an absent entry from an empty one
    short = int(entries.iloc[:, 0].isna().sum())
    if short:
        warnings.warn(
            f"{path}: {short:,} of {len(frame):,} rows have fewer entries than the header; those that they lack are taken as missing",
            UserWarning,
            stacklevel=4,
        )


def _why_not_parsed(error: Exception, names: list[str]) -> str:
    """What pandas' complaint means for the file whose header is `names` (empty: not even that was read)."""
    reason = str(error).strip().split("\n")[0].removeprefix("Error tokenizing data. C error: ")
    _, opened, row = reason.partition("EOF inside string starting at row ")
    if opened:
        return f'a quotation mark (") is opened near line {int(row) + 1} and never closed. Close it, or take it out.'
    reason = "rows have more entries" if isinstance(error, Warning) else reason
    comment = names and names[0].startswith("#")
    hint = (
        "If the first line is a comment, take it out of the file."
        if comment
        else "Quote entries that hold the separator, or choose another one with `--separator`."
    )
    return f"the rows do not fit the header of {len(names)} names: {reason}. {hint}"


def _check_header(path: Path, names: list[str], separator: str) -> None:
    """Raise where the first line is no list of names under this separator."""
    _refuse_doubles(path, names)
    if len(names) == 1 and names[0].startswith("#"):
        others = [SEPARATORS[other] for other in SEPARATORS if other not in (separator, " ") and other in names[0]]
        hint = f" If it names columns that are separated by {others[0]}, pass `--separator {others[0]}`." if others else ""
        raise TableError(
            f"{path}: the first line must name the columns, but is {_short(names[0])!r}. If that is a comment, take it out of the "
            f"file.{hint}"
        )
    if len(names) == 1:
        inside = [other for other in SEPARATORS if other != separator and other in names[0]]
        if inside:
            other = max(inside, key=lambda other: (other != " ", names[0].count(other)))  # a name may hold spaces
            raise TableError(
                f"{path}: the first line is one name, {_short(names[0])}. If its columns are separated by {SEPARATORS[other]}, "
                f"pass `--separator {SEPARATORS[other]}`."
            )
    if all(_is_number(name) for name in names):
        raise TableError(
            f"{path}: the first line must name the columns, but holds only numbers: {_short(', '.join(names))}. Add a line of names."
        )


def _refuse_doubles(path: Path, names: list[str]) -> None:
    doubles = [name for name, times in Counter(names).items() if times > 1 and name]
    if doubles:
        raise TableError(f"{path}: more than one column is named {_short(', '.join(map(repr, doubles)))}. Rename them.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
