"""Radii of level sets: what is proven by a Cholesky factor, against the eigenvalues themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimax_opt import AffineTasks, level_set
from minimax_opt.level_set_growth import Growth
from minimax_opt.problem import Problem

EPS = float(np.finfo(float).eps)


def longest(growth, radius):
    """The largest |h| that the inequalities allow with `radius` on their right-hand sides, by eigenvalues."""
    least = growth.sigma + growth.slope * radius
    scaled = growth.rows[0] / (least + growth.offsets[0])[:, None]
    matrix, level = scaled.T @ scaled / len(scaled), 1
    if growth.hessian is not None:
        matrix, level = matrix + growth.hessian / (2 * least), level + 1
    smallest = np.linalg.eigvalsh(matrix)[0]
    return np.sqrt(level / smallest) if smallest > 0 else np.inf


def a_growth(n, m, slope, curved, seed):
    generator = np.random.default_rng(seed)
    growth = Growth(10.0 ** generator.uniform(-6, 0), slope, EPS)
    growth.add(generator.standard_normal((m, n)) * 10.0 ** generator.uniform(-3, 0, (m, 1)), generator.random(m))
    if curved:
        half = generator.standard_normal((n, n))
        growth.hessian = half @ half.T
    return growth


cases = {"n": st.integers(1, 8), "more": st.integers(0, 20), "curved": st.booleans(), "seed": st.integers(0, 2**31)}


@given(slope=st.floats(0, 10), **cases)
def test_radius_is_proven(n, more, slope, curved, seed):
    growth = a_growth(n, n + more, slope, curved, seed)
    radius = growth.radius()
    assert radius == np.inf or longest(growth, radius) < radius


@given(**cases)
def test_radius_is_within_a_factor_of_the_best(n, more, curved, seed):
    growth = a_growth(n, n + more, 0.0, curved, seed)
    best = longest(growth, 0.0)
    if best < 1e5:  # where rounding is of no account
        assert best < growth.radius() <= 2.001 * best


def test_nothing_is_proven_where_a_direction_is_left():
    growth = Growth(1e-3, 0.0, EPS)
    assert growth.radius() == np.inf
    growth.add(np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 0.0, 0.0]]), np.zeros(3))
    assert growth.radius() == np.inf
    assert growth.with_rows(np.array([[0.0, 0.0, 1.0]]), np.zeros(1)).radius() < 1.0
    assert growth.radius() == np.inf  # it is as it was


def test_nothing_is_proven_where_the_slope_is_too_large():
    """|h| <= sigma + slope |h| says nothing from slope = 1 on."""
    for slope, proven in ((0.1, True), (0.4, True), (1.0, False), (3.0, False)):
        growth = Growth(1e-3, slope, EPS)
        growth.add(np.eye(2) * np.sqrt(2), np.zeros(2))
        assert (growth.radius() < np.inf) == proven


@pytest.mark.parametrize("unit", [1e-140, 1e-100, 1e100])
def test_units_play_no_part(unit):
    rows, expected = np.random.default_rng(0).standard_normal((9, 4)), []
    for scale in (1.0, unit):
        growth = Growth(1e-3 * scale, 1e-9 * scale, EPS)
        growth.add(scale * rows, np.full(9, 0.1 * scale))
        expected.append(growth.radius())
    assert abs(expected[1] / expected[0] - 1) < 1e-9


@pytest.mark.parametrize("size", [1e-200, 1e-120, 1e-18])
def test_rows_that_are_all_but_zero(size):
    growth = Growth(1e-3, 0.0, EPS)
    growth.add(np.diag([1.0, 1.0, size]), np.zeros(3))
    assert growth.radius() == np.inf


def test_weak_trades_count_where_strong_ones_leave_a_direction(monkeypatch):
    monkeypatch.setattr(level_set, "radius_at_centre", lambda point, scale: np.inf)
    weights = np.array([0.4, 0.3, 0.3 - 2e-9, 1e-9, 1e-9])
    A = np.array([[-3.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 1e6], [0.0, -1e6]])
    A[0] = -(weights[1:] @ A[1:]) / weights[0]
    problem = Problem(AffineTasks(A, np.zeros(5)), n_tasks=5, n_variables=2, convex=True)
    assert np.isfinite(level_set.level_set_radius(problem.at(np.zeros(2)), weights))
