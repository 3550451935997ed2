"""What every method promises, on every problem that it claims."""

import dataclasses
from itertools import pairwise

import numpy as np
import problems
import pytest
import torch

import minimax_opt as mo
from minimax_opt.solvers import METHODS

SECOND_ORDER = ("interior-point", "dual-newton", "sqp", "working-set")
TOLERANCE = {name: 1e-9 if name in SECOND_ORDER else 1e-3 for name in METHODS}
TOLERANCE |= {"softmax-gd": 2e-2, "descent-ascent": 1e-2}  # 1/eps^2 methods: 1e-3 takes tens of thousands of iterations
EASY = [case for case in problems.ALL if not case.hard]


def attempt(case, method, **options):
    """Solve, or skip the pair if the method refuses the problem with a sentence."""
    try:
        return case.solve(method, **{"tol": TOLERANCE[method], "max_iter": 20000, **options})
    except ValueError as error:
        if not str(error).startswith(f"method={method!r} "):
            raise
        return None


PAIRS = [
    pytest.param(method, case, id=f"{method}-{case}")
    for method in METHODS
    for case in (problems.ALL if method in SECOND_ORDER else EASY)
]


@pytest.mark.parametrize(("method", "case"), PAIRS)
def test_solves_what_it_claims(method, case):
    slow = method in ("softmax-gd", "descent-ascent")  # relative to the losses at the start, also where the optimum is near zero
    atol = TOLERANCE[method] * float(np.abs(case.tasks(np.zeros(case.n_variables))).max()) if slow else None
    res = attempt(case, method, atol=atol)
    if res is None:
        return
    assert res.success, res
    best = case.solve(tol=1e-6 if case.in_ball else 1e-9, max_iter=50000)
    scale = max(abs(best.fun), 1e-3)
    assert res.fun <= best.fun + max((TOLERANCE[method] + 1e-6 * case.in_ball) * scale, atol or 0.0) + 1e-12
    assert res.lower_bound <= best.fun + 1e-12 * scale
    assert res.method == method
    assert case.ambiguity.contains(res.weights, 1e-9)
    assert res.x.shape == (case.n_variables,)
    assert res.nfev >= 1
    assert res.nit == len(res.trace) - 1


def test_every_method_claims_something():
    claimed = {method: sum(attempt(c, method, max_iter=1) is not None for c in EASY) for method in METHODS}
    assert all(count >= 5 for count in claimed.values()), claimed


@pytest.mark.parametrize("method", METHODS)
def test_lower_bound_is_valid_and_best_value_falls_at_every_iterate(method):
    case = problems.NAMED["lsq"]
    best = case.solve(tol=1e-11).fun
    rows = []
    case.solve(method, tol=1e-6, max_iter=500, callback=lambda intermediate_result: rows.append(intermediate_result))
    assert rows
    for res in rows:
        assert not res.lower_bound > best * (1 + 1e-11)
        assert res.fun >= best * (1 - 1e-11)
        assert float(np.max(case.tasks(res.x))) == pytest.approx(res.fun, rel=1e-12)
    values = [res.fun for res in rows]
    assert all(later <= earlier for earlier, later in pairwise(values))


@pytest.mark.parametrize("method", METHODS)
def test_same_call_same_bits(method):
    case = problems.NAMED["lsq"]
    one, two = (case.solve(method, tol=1e-3, max_iter=50) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.lower_bound == two.lower_bound or np.isnan(one.lower_bound)


@pytest.mark.parametrize("method", METHODS)
def test_inputs_are_left_alone_and_kinds_are_kept(method):
    rng = np.random.default_rng(0)
    designs = [rng.standard_normal((9, 3)) for _ in range(4)]
    targets = [rng.standard_normal(9) for _ in range(4)]
    before = [a.copy() for a in (*designs, *targets)]
    x0, weights0 = np.full(3, 0.5), np.full(4, 0.25)
    x0.flags.writeable = weights0.flags.writeable = False
    res = mo.minimize_max(mo.LeastSquaresTasks(designs, targets), x0, weights0=weights0, method=method, tol=1e-3, max_iter=2000)
    for old, new in zip(before, (*designs, *targets), strict=True):
        np.testing.assert_array_equal(old, new)
    assert isinstance(res.x, np.ndarray)
    assert res.x.dtype == np.float64

    tensors = [torch.from_numpy(a) for a in designs], [torch.from_numpy(b) for b in targets]
    for dtype in (torch.float64, torch.float32):
        tasks = mo.LeastSquaresTasks([A.to(dtype) for A in tensors[0]], [b.to(dtype) for b in tensors[1]])
        out = mo.minimize_max(tasks, torch.full((3,), 0.5, dtype=dtype), method=method, tol=1e-3, max_iter=2000)
        assert out.x.dtype == out.weights.dtype == out.losses.dtype == dtype
        assert out.fun == pytest.approx(res.fun, rel=5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_callback_can_stop(method):
    calls = []

    def callback(intermediate_result):
        calls.append(intermediate_result.fun)
        raise StopIteration

    slower = {"working-set": {"size": 1}, "dual-newton": {"native": False}}  # or it would end with its first step
    res = problems.NAMED["lsq"].solve(method, tol=1e-9, callback=callback, options=slower.get(method))
    assert len(calls) == 1
    assert res.status is mo.Status.STOPPED
    assert not res.success
    assert np.isfinite(res.fun)


@pytest.mark.parametrize("method", METHODS)
def test_interruption_keeps_the_best_point(method):
    def callback(intermediate_result):
        raise KeyboardInterrupt

    res = problems.NAMED["lsq"].solve(method, tol=1e-9, callback=callback)
    assert res.status is mo.Status.INTERRUPTED
    assert float(np.max(problems.NAMED["lsq"].tasks(res.x))) == res.fun


@pytest.mark.parametrize("method", METHODS)
def test_limits(method):
    case = problems.NAMED["lsq"]
    res = case.solve(method, tol=1e-12, max_iter=0)
    assert res.status is mo.Status.MAX_ITER
    assert res.nit == 0
    assert res.fun <= float(np.max(case.tasks(np.zeros(case.n_variables)))) * (1 + 1e-12)  # x0, or better
    res = case.solve(method, tol=1e-14, time_limit=1e-9)
    assert res.status is mo.Status.TIME_LIMIT


@pytest.mark.parametrize("method", METHODS)
def test_unknown_options_and_options_of_another_method_are_refused(method):
    own = {field.name for field in dataclasses.fields(METHODS[method])}
    foreign = {field.name for cls in METHODS.values() for field in dataclasses.fields(cls)} - own
    for option in [*sorted(foreign)[:3], "nonsense"]:
        with pytest.raises(ValueError, match=f"unknown option of method '{method}'"):
            problems.NAMED["lsq"].solve(method, options={option: 1})


@pytest.mark.parametrize("method", ["interior-point", "sqp", "accelerated"])
def test_warm_start_needs_no_more_iterations(method):
    case = problems.NAMED["lsq"]
    cold = case.solve(method, tol=1e-6)
    warm = mo.minimize_max(case.tasks, cold.x, weights0=cold.weights, method=method, tol=1e-6)
    assert warm.success
    assert warm.nit <= cold.nit


@pytest.mark.parametrize("method", METHODS)
def test_an_optimal_start_ends_soon(method):
    case = problems.NAMED["quadratic"]
    best = case.solve(tol=1e-12)
    res = mo.minimize_max(case.tasks, best.x, weights0=best.weights, method=method, tol=1e-4)
    assert res.success
    assert res.fun <= best.fun * (1 + 1e-4)
