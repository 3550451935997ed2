"""Convexity does not depend on the units of the variables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt.semidefinite import convexity

CONVERT = pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
INDEFINITE = {
    "small negative diagonal": np.diag([1e12, -1e-4]),
    "zero diagonal": np.array([[0.0, 1e-9], [1e-9, 1e9]]),
    "minor": np.array([[1e12, 1.1], [1.1, 1e-12]]),
    "third order": np.array([[1.0, -0.6, -0.6], [-0.6, 1.0, -0.6], [-0.6, -0.6, 1.0]]) * np.outer([1e6, 1, 1e-6], [1e6, 1, 1e-6]),
}
SEMIDEFINITE = {
    "zero": np.zeros((2, 2)),
    "rank one": np.outer([1e6, 1.0, 1e-6], [1e6, 1.0, 1e-6]),
    "column of zeros": np.diag([0.0, 1e-9, 1e9]),
}


@CONVERT
@pytest.mark.parametrize("name", INDEFINITE)
def test_indefinite(name, convert):
    both = np.stack([np.eye(len(INDEFINITE[name])), INDEFINITE[name]])
    assert convexity(convert(both)) == (False, 0.0)
    assert not mo.QuadraticTasks(convert(both)).convex


@CONVERT
@pytest.mark.parametrize("name", SEMIDEFINITE)
def test_semidefinite(name, convert):
    assert convexity(convert(SEMIDEFINITE[name][None])) == (True, 0.0)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_the_least_eigenvalue_is_bounded_in_any_units(n, seed, exponent):
    """P = D(I + vv')D has a smallest eigenvalue of min D^2 at least, and of min_i p_ii at most."""
    rng = np.random.default_rng(seed)
    d, v = 2.0 ** rng.integers(-exponent, exponent + 1, n), rng.integers(-2, 3, n)
    P = np.outer(d, d) * (np.eye(n) + np.outer(v, v))  # exact
    semidefinite, least = convexity(P[None])
    assert semidefinite
    assert 0.0 < least <= P.diagonal().min()
    assert np.linalg.eigvalsh(P - least * np.eye(n))[0] >= -8 * n * np.finfo(float).eps * np.abs(P).max()


def test_gram_matrices_are_semidefinite_in_any_units():
    rng = np.random.default_rng(0)
    for n in (2, 5, 30):
        A = rng.standard_normal((n - 1, n)) * 10.0 ** rng.integers(-8, 9, n)
        assert convexity((A.T @ A)[None])[0]


def test_no_bound_for_a_task_that_is_not_convex():
    result = mo.minimize_max(mo.QuadraticTasks([np.diag([1e12, -1e-4])]), domain=mo.Box(-100, 100), max_iter=100)
    assert np.isnan(result.lower_bound)
