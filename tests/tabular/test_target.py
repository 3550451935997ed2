"""Targets under each loss: numbers, counts, classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from minimax_opt.tabular import TableError
from minimax_opt.tabular.target import fit_target, guess_loss


@pytest.mark.parametrize(
    ("values", "loss"),
    [
        ([1.5, 2.5, 3.5], "least-squares"),
        ([0, 1, 1], "logistic"),
        ([True, False, None], "logistic"),
        (["no", "yes", "no"], "logistic"),
        (["a", "b", "c"], "multinomial"),
        ([0, 1, 2], "least-squares"),
    ],
)
def test_the_loss_follows_the_target(values, loss):
    assert guess_loss(pd.Series(values)) == loss


@pytest.mark.parametrize(
    ("values", "kind", "positive", "classes", "encoded"),
    [
        (["no", "yes", "no"], "logistic", None, ("no", "yes"), [0, 1, 0]),
        (["no", "yes", "no"], "logistic", "no", ("yes", "no"), [1, 0, 1]),
        ([1.0, 0.0, np.nan], "logistic", None, ("0", "1"), [1, 0, np.nan]),
        ([True, False, True], "logistic", None, ("False", "True"), [1, 0, 1]),
        ([2, 10, 9], "multinomial", None, ("2", "9", "10"), [0, 2, 1]),
        (["b", "a", None], "multinomial", None, ("a", "b"), [1, 0, np.nan]),
        ([1, 2, np.inf], "least-squares", None, (), [1, 2, np.nan]),
        ([0, 2, 2.5], "poisson", None, (), [0, 2, 2.5]),
    ],
)
def test_encoding(values, kind, positive, classes, encoded):
    series = pd.Series(values)
    target, notes = fit_target("y", series, kind, positive)
    assert target.classes == classes
    np.testing.assert_array_equal(target.encode(series), encoded)
    assert notes[0][0] == "target"


def test_a_class_that_training_did_not_have_is_missing():
    target, _ = fit_target("y", pd.Series(["a", "b"]), "logistic")
    np.testing.assert_array_equal(target.encode(pd.Series(["c", "b"])), [np.nan, 1.0])


@pytest.mark.parametrize(
    ("values", "kind", "positive", "message"),
    [
        (["a", "b", "c"], "logistic", None, "is for two classes, but `y` has 3: 'a', 'b', 'c'. Pass `--loss multinomial`"),
        ([1.5, 2.5, 3.5], "logistic", None, "Pass `--loss least-squares`"),
        (["a", "b", "a"], "least-squares", None, "holds text such as 'a', 'b'. If these are classes, pass `--loss logistic`"),
        (["a", "b", "c"], "huber", None, "`--loss multinomial`"),
        (["a", "a", "a"], "logistic", None, "has 1 classes"),
        ([2.0, 2.0, 2.0], "least-squares", None, "is 2 in every row"),
        ([-1, 2, 3], "poisson", None, "goes down to -1. Pass `--loss least-squares`"),
        ([0, 0, 0], "poisson", None, "is 0 in every row"),
        (["a", "b", "a"], "logistic", "c", "must be one of two classes of `y`, 'a', 'b', got 'c'"),
        (["a", "b", "c"], "multinomial", "c", "must be one of two classes"),
        ([1, 2, 3], "least-squares", "2", "`--positive` names a class, but `--loss least-squares` has none"),
        ([f"c{i}" for i in range(101)], "multinomial", None, "101 distinct values, too many for classes"),
    ],
)
def test_what_does_not_fit_the_loss_is_told(values, kind, positive, message):
    with pytest.raises(TableError, match=message):
        fit_target("y", pd.Series(values), kind, positive)


def test_hints_about_numbers_that_may_be_classes():
    assert "logistic" in fit_target("y", pd.Series([0, 1, 1]), "least-squares")[1][1][1]
    assert "multinomial" in fit_target("y", pd.Series([0, 1, 2]), "least-squares")[1][1][1]
    assert len(fit_target("y", pd.Series([0.5, 1, 2]), "least-squares")[1]) == 1


@pytest.mark.parametrize(
    ("kind", "largest", "message"),
    [
        ("least-squares", 1e200, "overflow when squared: rescale"),
        ("huber", 1e100, "squared"),
        ("quantile", 1e200, "overflow: rescale"),
    ],
)
def test_a_target_whose_losses_overflow_is_told(kind, largest, message):
    with pytest.raises(TableError, match=message):
        fit_target("y", pd.Series([1.0, 2.0, -largest]), kind)
    fit_target("y", pd.Series([1.0, 2.0, -1e30]), kind)
