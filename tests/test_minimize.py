"""The front door: what it accepts, what it refuses and in which words, and how a solve may end."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import minimax_opt as mo


@pytest.fixture
def tasks():
    rng = np.random.default_rng(0)
    return mo.LeastSquaresTasks([rng.standard_normal((8, 3)) for _ in range(4)], [rng.standard_normal(8) for _ in range(4)])


ANCHORS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def distances(x):
    """Squared distances to three points: the solution is the centre (1, 1), the value 2."""
    return ((x - ANCHORS) ** 2).sum(1)


def distances_jacobian(x):
    return 2 * (x - ANCHORS)


def torch_distances(x):
    return ((x - torch.tensor(ANCHORS, dtype=x.dtype)) ** 2).sum(1)


@pytest.mark.parametrize("jac", [distances_jacobian, "2-point", True])
def test_numpy_function(jac):
    fun = (lambda x: (distances(x), distances_jacobian(x))) if jac is True else distances
    res = mo.minimize_max(fun, np.zeros(2), jac=jac, strong_convexity=2.0, tol=1e-6)
    assert res.success
    assert res.fun == pytest.approx(2.0, rel=2e-6)
    if jac == "2-point":  # finite differences prove nothing
        assert np.isnan(res.lower_bound)
        assert "finite differences" in str(res.certificate)
    else:
        assert 2.0 * (1 - 2e-6) <= res.lower_bound <= 2.0 + 1e-15
    np.testing.assert_allclose(res.x, [1.0, 1.0], atol=1e-2)
    np.testing.assert_allclose(res.weights[1:], 0.5, atol=1e-2)


def test_torch_function():
    res = mo.minimize_max(torch_distances, torch.zeros(2, dtype=torch.float64), convex=True, strong_convexity=2.0, tol=1e-9)
    assert res.success
    assert res.fun == pytest.approx(2.0, rel=1e-8)
    assert isinstance(res.x, torch.Tensor)
    assert res.active.tolist() == [1, 2] or res.active.tolist() == [0, 1, 2]


def test_convexity_must_be_known_for_a_certificate():
    res = mo.minimize_max(torch_distances, torch.zeros(2, dtype=torch.float64), tol=1e-7)
    assert np.isnan(res.gap)
    assert np.isnan(res.lower_bound)
    assert "convexity is neither known nor declared" in str(res.certificate)
    assert res.success
    assert res.fun == pytest.approx(2.0, rel=1e-5)


def test_domain_turns_a_black_box_into_a_certified_one():
    res = mo.minimize_max(torch_distances, torch.zeros(2, dtype=torch.float64), convex=True, domain=mo.Ball(3.0), tol=1e-4)
    assert res.success
    assert res.certificate.kind in ("linearisation", "strong convexity")
    assert 2.0 * (1 - 1e-4) <= res.lower_bound <= 2.0 <= res.fun + 1e-12


def test_a_false_declaration_of_convexity_is_found_out():
    res = mo.minimize_max(
        lambda x: torch.stack([torch.cos(x[0]) + 0.01 * x[0] ** 2, torch.cos(x[0] + 0.1)]),
        torch.tensor([0.3], dtype=torch.float64),
        convex=True,
        domain=mo.Ball(6.0),
        method="accelerated",
        tol=1e-9,
    )
    assert res.status is mo.Status.NOT_CONVEX
    assert np.isnan(res.gap)
    assert "convex" in res.message


def test_a_nonconvex_function_ends_at_a_stationary_point():
    def fun(x):
        return torch.stack([torch.sin(x[0]) + 0.1 * x[0] ** 2, torch.sin(x[0] + 0.5) + 0.1 * x[0] ** 2])

    res = mo.minimize_max(fun, torch.tensor([1.0], dtype=torch.float64), tol=1e-7)
    assert res.success
    assert np.isnan(res.gap)
    grid = res.x.item() + np.linspace(-0.05, 0.05, 101)
    values = [float(fun(torch.tensor([g], dtype=torch.float64)).max()) for g in grid]
    assert res.fun <= min(values) + 1e-6


def test_nan_on_the_way_keeps_the_best_point():
    def fun(x):
        return torch.stack([torch.sqrt(x[0]), x[0] + x[0] * 0])  # nan for x < 0, decreasing towards it

    res = mo.minimize_max(
        fun, torch.tensor([1.0], dtype=torch.float64), method="softmax-gd", options={"step_size": 3.0, "smoothing": 0.1}
    )
    assert res.status is mo.Status.NON_FINITE
    assert np.isfinite(res.fun)
    assert res.x.item() == 1.0


def test_unbounded_problems_say_so():
    tasks = mo.AffineTasks(np.array([[1.0, 0.0], [1.0, 1.0]]), np.zeros(2))
    res = mo.minimize_max(tasks)
    assert res.status is mo.Status.UNBOUNDED
    assert not res.success
    assert res.lower_bound == -np.inf
    assert "regularizer" in res.message


def test_zero_variables_that_matter_not():
    """A column of zeros: any value is optimal, the solver must not fail."""
    rng = np.random.default_rng(0)
    designs = [np.column_stack([rng.standard_normal(9), np.zeros(9)]) for _ in range(3)]
    res = mo.minimize_max(mo.LeastSquaresTasks(designs, [rng.standard_normal(9) for _ in range(3)]), tol=1e-9)
    assert res.success
    assert np.all(np.isfinite(res.x))


def test_more_variables_than_rows_without_a_ridge():
    """Interpolation: the optimal value is zero, a relative gap means nothing, the default `atol` decides."""
    rng = np.random.default_rng(0)
    tasks = mo.LeastSquaresTasks([rng.standard_normal((3, 20)) for _ in range(3)], [rng.standard_normal(3) for _ in range(3)])
    res = mo.minimize_max(tasks, tol=1e-9)
    assert res.fun < 1e-9
    assert res.lower_bound <= res.fun
    assert res.success, res


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x0": np.zeros(4)}, r"`x0` must have shape \(3,\)"),
        ({"x0": np.zeros((3, 1))}, r"`x0` must be a vector"),
        ({"x0": np.array([0.0, np.nan, 0.0])}, r"`x0` must be finite"),
        ({"x0": ["a", "b", "c"]}, r"`x0` must be a vector of real numbers"),
        ({"x0": torch.zeros(3, dtype=torch.int64)}, r"`x0` must be a floating-point tensor"),
        ({"jac": True}, r"`jac` must be None for a family of tasks"),
        ({"method": "newton"}, r"unknown method: 'newton'.*Known: "),
        ({"method": "interior_point"}, r"Did you mean 'interior-point'\?"),
        ({"tol": -1.0}, r"`tol` must be a finite number >= 0, got -1.0"),
        ({"tol": 1e-18}, r"`tol` must be at least"),
        ({"tol": "small"}, r"`tol` must be a finite number"),
        ({"atol": np.inf}, r"`atol` must be a finite number"),
        ({"max_iter": 1.5}, r"`max_iter` must be an integer >= 0"),
        ({"max_iter": -1}, r"`max_iter` must be an integer >= 0"),
        ({"time_limit": 0}, r"`time_limit` must be a finite number > 0"),
        ({"strong_convexity": -1}, r"`strong_convexity` must be a finite number >= 0"),
        ({"convex": "yes"}, r"`convex` must be True, False or None"),
        ({"convex": False, "strong_convexity": 1.0}, r"`convex=False` contradicts"),
        ({"ambiguity": "simplex"}, r"`ambiguity` must be of class AmbiguitySet"),
        ({"domain": (0, 1)}, r"`domain` must be of class Domain"),
        ({"regularizer": 0.1}, r"`regularizer` must be of class Regularizer, e.g. mo.Ridge\(0.1\)"),
        ({"weights0": np.ones(3)}, r"`weights0` must have shape \(4,\)"),
        ({"weights0": np.ones(4)}, r"`weights0` must be nonnegative and sum to 1"),
        ({"ambiguity": mo.Simplex(prior=(0.5, 0.5))}, r"prior"),
        ({"regularizer": mo.Ridge([1.0, 1.0])}, r"`strength` must be one number or have shape \(3,\)"),
        ({"regularizer": mo.QuadraticRegularizer(np.eye(2))}, r"`Q` must have shape \(3, 3\)"),
        ({"domain": mo.Box([0, 0], [1, 1])}, r"`lower` must be a number or have shape \(3,\)"),
        ({"domain": mo.Fantope(2, 1)}, r"`x0` must have 4 entries"),
    ],
)
def test_errors_name_the_argument(tasks, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mo.minimize_max(tasks, **arguments)


@pytest.mark.parametrize(
    ("fun", "x0", "message"),
    [
        ([distances], np.zeros(2), r"`fun` must be a family of tasks or one function"),
        (torch.nn.Linear(2, 3), np.zeros(2), r"wrap a module"),
        (distances, None, r"`x0` must be given"),
        (distances, np.zeros(2), r"`?jac`?"),
        (lambda x: x.sum(), torch.zeros(2, dtype=torch.float64), r"shape \(K,\)"),
        (lambda x: x[:0], torch.zeros(2, dtype=torch.float64), r"K = 0"),
        (lambda x: x / 0, torch.ones(2, dtype=torch.float64), r"must be finite at `x0`"),
    ],
)
def test_errors_about_functions(fun, x0, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mo.minimize_max(fun, x0)


def test_result_is_readable(tasks):
    text = repr(mo.minimize_max(tasks, tol=1e-9))
    for word in ("fun", "lower_bound", "gap", "certificate", "message"):
        assert re.search(rf"{word}: ", text)


def test_progress_goes_to_standard_error(tasks, capsys):
    mo.minimize_max(tasks, method="accelerated", tol=1e-3, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "accelerated" in captured.err
    assert "gap" in captured.err


def test_importing_the_package_is_light():
    """`import minimax_opt` must not pull in what only tests, plots or the demo need."""
    heavy = ("cvxpy", "matplotlib", "sklearn", "pandas", "scipy.optimize", "triton")
    code = f"import minimax_opt, sys; print([m for m in {heavy} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": ".:kernels"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


ROWS = [mo.LeastSquaresTasks, mo.HuberTasks, mo.PoissonTasks, mo.QuantileTasks]


def solve_from_far_out(family, size, method, regularizer):
    rng = np.random.default_rng(0)
    tasks = family([rng.random((9, 2)) for _ in range(3)], [rng.integers(1, 3, 9).astype(float) for _ in range(3)])
    return mo.minimize_max(tasks, np.full(2, size), method=method, regularizer=regularizer, max_iter=20)


@pytest.mark.parametrize("regularizer", [None, mo.Ridge(0.1)], ids=["plain", "ridge"])
@pytest.mark.parametrize("method", ["auto", "descent-ascent"])
@pytest.mark.parametrize("family", ROWS, ids=lambda family: family.__name__)
def test_a_start_far_out_gives_no_warning_of_overflow(family, method, regularizer):
    """What is accepted has finite products; what is not is refused with a sentence."""
    for size in (-1e30, -1e10, 1e10, 1e30):
        if size < 0 or family is not mo.PoissonTasks:
            res = solve_from_far_out(family, size, method, regularizer)
            assert not res.lower_bound > res.fun
    for size in (-1e300, -1e155, 1e80, 1e155, 1e200, 1e300):
        with pytest.raises(ValueError, match=r"must be below 1e\+75|must be finite at `x0`"):
            solve_from_far_out(family, size, method, regularizer)
