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
        Between the columns of a text file: a tab for ``.tsv`` and ``.tab``, a comma otherwise.
    decimal, thousands, encoding : str
        How a text file writes numbers and letters.
    missing : sequence of str
        What stands for a missing entry in a text file, beside an empty entry, NA, NaN, null, None and pandas' other names.

    Returns
    -------
    pandas.DataFrame

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
        separator = separator or ("\t" if {".tsv", ".tab"} & {s.lower() for s in path.suffixes} else ",")
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
    pd = pandas()
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **layout)
        names = [str(name) for name in header.iloc[0]]
        _check_header(path, names, layout["sep"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row that is longer than the header
            return pd.read_csv(path, index_col=False, low_memory=False, **layout, **numbers)
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().split("\n")[0].removeprefix("Error tokenizing data. C error: ") + "."
        reason = "rows have more entries." if isinstance(error, pd.errors.ParserWarning) else reason
        raise TableError(
            f"{path}: the rows do not fit the header of {len(names)} names: {reason} "
            "Quote entries that hold the separator, or choose another one with `--separator`."
        ) from None
    except UnicodeError as error:
        encoding = layout["encoding"]
        raise TableError(f"{path}: not {encoding} text ({error}). Name its encoding, e.g. `--encoding latin-1`.") from None
    except LookupError as error:
        raise TableError(f"`--encoding`: {error}. Known names are utf-8, latin-1, cp1252, utf-16, ...") from None
    except (TypeError, ValueError, EOFError, OSError, BadZipFile, zlib.error, LZMAError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from None


def _check_header(path: Path, names: list[str], separator: str) -> None:
    """Raise where the first line is no list of names under this separator."""
    _refuse_doubles(path, names)
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
