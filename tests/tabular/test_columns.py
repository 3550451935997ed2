"""One column of a table as numbers, against the definition."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimax_opt.tabular import TableError
from minimax_opt.tabular.columns import column_from, column_to, fit_category, fit_number
from minimax_opt.tabular.values import as_labels, as_numbers, is_number

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | FINITE, min_size=1, max_size=30))
def test_numbers_are_standardised_after_the_median_is_filled_in(values):
    series = pd.Series([np.nan if v is None else v for v in values], dtype=float)
    column = fit_number("a", series)
    present = series.dropna().to_numpy()
    if column is None:
        assert len(set(present)) <= 1 or np.ptp(present) < 1e-9 * np.abs(present).max()
        return
    block, told = column.encode(series)
    assert block.shape == (len(values), len(column.names))
    assert told == []
    if column.scale:
        np.testing.assert_allclose(block[:, 0].mean(), 0.0, atol=1e-9)
        np.testing.assert_allclose(block[:, 0].std(), 1.0, rtol=1e-9)
        filled = series.fillna(np.median(present)).to_numpy()
        np.testing.assert_allclose(block[:, 0] * column.scale + column.mean, filled, atol=1e-9 * max(abs(filled).max(), 1.0))
    if series.isna().any():
        assert block[:, -1].tolist() == series.isna().astype(float).tolist()
    assert column_from(json.loads(json.dumps(column_to(column)))) == column


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=30), st.integers(1, 5))
def test_a_category_has_one_column_and_the_most_frequent_has_none(values, max_levels):
    series = pd.Series(values, dtype=object)
    column = fit_category("g", series, max_levels)
    counts = {v: values.count(v) for v in set(values)}
    if column is None:
        assert len(counts) == 1
        return
    block, told = column.encode(series)
    assert counts[column.baseline] == max(counts.values())
    assert told == []
    assert set(np.unique(block)) <= {0.0, 1.0}
    for row, value in zip(block, values, strict=True):
        if value == column.baseline:
            assert row.sum() == 0
        else:
            at = column.levels.index(value) if value in column.levels else len(column.levels)
            assert row.tolist() == [float(j == at) for j in range(len(row))]
    assert column_from(json.loads(json.dumps(column_to(column)))) == column


def test_what_training_did_not_have_is_told():
    number = fit_number("a", pd.Series([1.0, 2.0, 6.0]))
    block, told = number.encode(pd.Series([np.nan, np.inf, 3.0]))
    assert block[:, 0].tolist() == [(2.0 - 3.0) / number.scale] * 2 + [0.0]
    assert told == ["`a`: 2 missing or infinite, filled with the median 2"]
    category = fit_category("g", pd.Series(["x", "x", "y"]), 50)
    block, told = category.encode(pd.Series(["z", "y", None]))
    assert block.tolist() == [[0.0], [1.0], [0.0]]
    assert told == ["`g`: 2 rows with a category that training did not have ('z', (missing)), taken as 'x'"]


def test_the_last_column_of_many_categories_takes_the_new_ones():
    column = fit_category("g", pd.Series(list("aaabbc")), max_levels=2)
    assert column.names == ["g = b", "g = (other)"]
    assert column.encode(pd.Series(["new", "c", "a"]))[0].tolist() == [[0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]


def test_a_constant_with_gaps_tells_only_its_gaps():
    column = fit_number("a", pd.Series([4.0, np.nan, 4.0]))
    assert column.names == ["a = (missing)"]
    assert column.encode(pd.Series([4.0, np.nan]))[0].tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("size", [1e-300, 1e-3, 1e200, 1e300])
def test_numbers_of_any_size(size):
    series = pd.Series(np.arange(5.0) * size)
    block, _ = fit_number("a", series).encode(series)
    np.testing.assert_allclose(block[:, 0], (np.arange(5.0) - 2.0) / np.sqrt(2.0), rtol=1e-12)


def test_a_column_of_numbers_refuses_text():
    column = fit_number("a", pd.Series([1.0, 2.0]))
    with pytest.raises(TableError, match="`a` must be numbers, but 1 entries are not: 'tall'"):
        column.encode(pd.Series(["3", "tall"]))


@pytest.mark.parametrize(
    ("series", "numbers"),
    [
        (pd.Series([1, 2]), [1.0, 2.0]),
        (pd.Series([1, None], dtype="Int64"), [1.0, np.nan]),
        (pd.Series([1.5, None], dtype="Float32"), [1.5, np.nan]),
        (pd.Series([True, False]), [1.0, 0.0]),
        (pd.Series([True, None], dtype="boolean"), [1.0, np.nan]),
        (pd.Series([True, None, False], dtype=object), [1.0, np.nan, 0.0]),
        (pd.Series(["1.5", None]), [1.5, np.nan]),
    ],
)
def test_every_type_of_number(series, numbers):
    np.testing.assert_array_equal(as_numbers(series, "a"), numbers)
    assert is_number(series) == (series.dropna().iloc[0] != "1.5")


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([3, 4, 3]),
        pd.Series([3.0, 4.0, 3.0]),
        pd.Series(["3", "4", "3"]),
        pd.Series(["3", "4", "3"], dtype="category"),
        pd.Series([3, 4, 3], dtype="Int64"),
        pd.Series(["3", "4", "3"], dtype="string"),
    ],
)
def test_a_label_does_not_depend_on_the_type(series):
    assert as_labels(series).tolist() == ["3", "4", "3"]
    assert as_labels(series.where(series.index != 1, None)).tolist() == ["3", None, "3"]


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"kind": "number", "name": "a"},
        {"kind": "number", "name": "a", "fill": 0.0, "mean": float("nan"), "scale": 1.0, "indicator": False},
        {"kind": "number", "name": "a", "fill": 0.0, "mean": 0.0, "scale": -1.0, "indicator": False},
        {"kind": "category", "name": "a", "baseline": 3, "levels": ["b"], "other": False},
        {"kind": "category", "name": "a", "baseline": "c", "levels": 7, "other": False},
        {"kind": "code", "name": "a", "baseline": "c", "levels": ["b"], "other": False},
    ],
)
def test_a_damaged_column_is_refused(saved):
    with pytest.raises(TableError, match="is damaged"):
        column_from(saved)
