"""Dual Newton: optimality, bounds, refusals; quadratics that are duplicate, singular, ill-conditioned, interpolating."""

from itertools import pairwise

import cvxpy_reference
import numpy as np
import problems
import pytest

import minimax_opt as mo
from minimax_opt import native
from minimax_opt.problem import Problem
from minimax_opt.solvers.tangent import first_weights

STEPWISE = {"native": False}  # each Newton step is an iteration


@pytest.fixture(autouse=True, scope="module", params=["python", "c"])
def implementation(request):
    """Every test of this file runs on both."""
    if request.param == "c" and native.library() is None:
        pytest.skip("the C module is not built, or turned off")
    library = native.library() if request.param == "c" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: library)
        yield


def solve(tasks, **options):
    return mo.minimize_max(tasks, method="dual-newton", **{"tol": 1e-9, **options})


def random_tasks(n_tasks=6, n=8, rows=20, seed=0, cond=1.0):
    return problems.least_squares("random", n_tasks, n, rows, seed, cond).tasks


def assert_optimal(tasks, res, accuracy=1e-8):
    """Weights in the simplex, zero gradient of F_w, weight only on the worst tasks: sufficient for optimality."""
    losses = tasks(res.x)
    assert res.status is mo.Status.CONVERGED, res
    assert res.fun == losses.max()
    assert res.weights.min() >= 0
    assert res.weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert res.weights @ (losses.max() - losses) <= accuracy * losses.max()
    assert 0 <= res.gap <= 1e-9 * res.fun
    jacobian = tasks.at(res.x).jacobian()
    assert np.linalg.norm(res.weights @ jacobian) <= accuracy * (1 + np.abs(jacobian).max())


@pytest.mark.parametrize(("n_tasks", "n", "rows"), [(1, 5, 9), (6, 8, 20), (60, 4, 10), (10, 40, 60)])
def test_optimality_conditions(n_tasks, n, rows):
    tasks = random_tasks(n_tasks, n, rows)
    assert_optimal(tasks, solve(tasks))


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")  # at 1e-10; the status is checked
@pytest.mark.parametrize("name", ["lsq", "lsq one task", "lsq many tasks", "lsq wide with ridge", "lsq duplicates", "quadratic"])
def test_agrees_with_cvxpy(name):
    case = problems.NAMED[name]
    _, value = cvxpy_reference.solve(case)
    res = case.solve("dual-newton", tol=1e-9)
    assert res.success
    assert res.fun == pytest.approx(value, rel=1e-7)
    assert res.lower_bound <= value * (1 + 1e-7)


@pytest.mark.parametrize("cond", [1e3, 1e6])
def test_few_iterations_at_any_conditioning(cond):
    res = solve(random_tasks(10, 12, 40, cond=cond))
    assert res.success
    assert res.nit <= 7
    assert res.gap <= 1e-9 * res.fun


def test_convergence_is_quadratic():
    """The gap, once small, is at least nearly squared: Newton's method, not a first-order one."""
    tasks = random_tasks(8, 10, 40)
    best = solve(tasks, tol=1e-15, atol=0.0).fun
    gaps = [row.value - best for row in solve(tasks, tol=1e-12, options=STEPWISE).trace]
    small = [(a, b) for a, b in pairwise(gaps) if 1e-7 < a / best < 1e-2]
    assert small
    assert all(b <= 10 * (a / best) ** 1.5 * best for a, b in small)


def test_columns_that_repeat_or_vanish():
    """H(w) is singular for every w: x is not unique, the value and the bound are."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((4, 30, 5)), rng.standard_normal((4, 30))
    deficient = np.concatenate([A, A[:, :, :2], np.zeros((4, 30, 1))], axis=2)
    res, full = solve(mo.LeastSquaresTasks(deficient, b)), solve(mo.LeastSquaresTasks(A, b))
    assert res.success
    assert res.fun == pytest.approx(full.fun, rel=1e-9)


def test_more_variables_than_rows_a_task():
    rng = np.random.default_rng(1)
    tasks = mo.LeastSquaresTasks(rng.standard_normal((4, 3, 8)), rng.standard_normal((4, 3)))
    assert_optimal(tasks, solve(tasks), accuracy=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_interpolation(seed):
    """Residuals of 1e-6 of the data, or none: rounding of the residuals leaves 1e-8 of the losses unproven."""
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((6, 60, 12)), rng.standard_normal(12)
    exact = solve(mo.LeastSquaresTasks(A, A @ x))
    assert exact.success
    assert exact.fun <= 1e-25
    nearly = solve(mo.LeastSquaresTasks(A, A @ x + 1e-6 * rng.standard_normal((6, 60))), atol=0.0, tol=1e-7)
    assert nearly.success
    assert nearly.nit <= 8
    np.testing.assert_allclose(nearly.x, x, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_of_the_data_changes_nothing(scale):
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((4, 20, 5)), rng.standard_normal((4, 20))
    plain, scaled = solve(mo.LeastSquaresTasks(A, b)), solve(mo.LeastSquaresTasks(scale * A, scale * b))
    assert scaled.success
    assert scaled.fun == pytest.approx(scale**2 * plain.fun, rel=2e-9)
    np.testing.assert_allclose(scaled.x, plain.x, atol=1e-4)


@pytest.mark.parametrize("floor", [0.3, 0.9])
def test_floor(floor):
    """W = {w >= floor q}: the value is the mixture's, and weights above the floor only on the worst tasks."""
    tasks, prior = random_tasks(seed=4), np.array([1, 2, 3, 1, 1, 2]) / 10
    res = solve(tasks, ambiguity=mo.Simplex(prior=prior, floor=floor))
    losses = tasks(res.x)
    assert res.success
    assert res.fun == pytest.approx((1 - floor) * losses.max() + floor * prior @ losses, rel=1e-13)
    assert np.all(res.weights >= floor * prior * (1 - 1e-12))
    assert (res.weights - floor * prior) @ (losses.max() - losses) <= 1e-7
    assert np.linalg.norm(res.weights @ tasks.at(res.x).jacobian()) <= 1e-6


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("tail_fraction", [0.05, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("prior", [None, (1, 2, 3, 1, 1, 2, 1, 5)])
def test_cvar(tail_fraction, floor, prior):
    """The losses order the weights: a saddle point, up to the gap. Wide tails, a tail of one point (the prior), tails within one task."""
    tasks, ambiguity = random_tasks(8, seed=8), mo.CVaR(tail_fraction, prior=prior, floor=floor)
    res = solve(tasks, ambiguity=ambiguity)
    losses = tasks(res.x)
    assert res.success
    assert res.nit <= 7
    assert res.fun == pytest.approx(float(ambiguity.worst_case(losses)), rel=1e-14)
    assert ambiguity.contains(res.weights, 1e-14)
    assert res.weights @ losses == pytest.approx(res.fun, rel=2e-9)
    assert np.linalg.norm(res.weights @ tasks.at(res.x).jacobian()) <= 1e-8 * np.abs(tasks.at(res.x).jacobian()).max()
    other = mo.minimize_max(tasks, method="interior-point", ambiguity=ambiguity, tol=1e-9)
    assert res.fun == pytest.approx(other.fun, rel=2e-9)
    assert res.lower_bound <= other.fun


def test_weights_of_another_set_start_a_cvar_from_its_own_set():
    """A vertex of the simplex is no weight that the CVaR allows: the bound that it would give is not one."""
    tasks = random_tasks(8, seed=8)
    best = solve(tasks, ambiguity=mo.CVaR(0.5))
    vertex = np.eye(8)[int(np.argmax(best.losses))]
    for ambiguity in (mo.CVaR(0.5), mo.CVaR(0.5, floor=0.2), mo.CVaR(1.0), mo.Simplex(floor=0.2)):
        assert ambiguity.contains(first_weights(Problem(tasks, 8, 8, ambiguity), vertex), 1e-14)
    cold = solve(tasks, weights0=vertex, ambiguity=mo.CVaR(0.5), x0=best.x)
    assert cold.success
    assert all(not row.lower_bound > best.fun * (1 + 1e-14) for row in cold.trace)
    assert solve(tasks, x0=best.x, weights0=best.weights, ambiguity=mo.CVaR(0.5)).nit == 0


def test_the_bound_is_valid_at_every_iterate():
    tasks = random_tasks(seed=5)
    best = solve(tasks, tol=1e-14, atol=0.0)
    bounds = [row.lower_bound for row in solve(tasks).trace if not np.isnan(row.lower_bound)]
    assert bounds
    assert max(bounds) <= best.fun * (1 + 1e-14)


def test_warm_starts_take_fewer_iterations():
    tasks = random_tasks(10, 12, 40, seed=6)
    cold = solve(tasks, options=STEPWISE)
    assert solve(tasks, x0=cold.x, weights0=cold.weights).nit == 0
    near = cold.x + 1e-4 * np.random.default_rng(0).standard_normal(12)
    assert solve(tasks, x0=near, weights0=cold.weights, options=STEPWISE).nit < cold.nit
    assert solve(tasks, x0=near, options=STEPWISE).nit < cold.nit  # without weights, too: the first QP is made at x0


@pytest.mark.parametrize("seed", [229, 462, 818, 1092])
def test_a_skewed_prior_whose_x_is_no_better_than_x0(seed):
    rng = np.random.default_rng(seed)
    matrices = [rng.standard_normal((1, 2)), rng.standard_normal((4, 2))]
    tasks = mo.LeastSquaresTasks(matrices, [3 * rng.standard_normal(1), rng.standard_normal(4)])
    share = 0.999 if seed == 229 else float(rng.choice([0.99, 0.999, 0.9999]))
    uniform = solve(tasks)  # of the same problem: without a floor the prior is but a start
    assert_optimal(tasks, uniform)
    for other in (
        solve(tasks, ambiguity=mo.Simplex(prior=(share, 1 - share))),
        solve(tasks, weights0=np.array([share, 1 - share])),
    ):
        assert other.success, other
        assert other.fun == pytest.approx(uniform.fun, rel=1e-8)


def test_unbounded():
    P = np.broadcast_to(np.diag([1.0, 0.0]), (2, 2, 2))
    res = solve(mo.QuadraticTasks(P, np.array([[0.0, 1.0], [1.0, 1.0]])))
    assert res.status is mo.Status.UNBOUNDED
    assert not res.success
    assert solve(mo.QuadraticTasks(P, np.array([[0.0, 1.0], [0.0, -1.0]]), np.ones(2))).success  # they cancel


def test_torch_input():
    torch = pytest.importorskip("torch")
    A, b = torch.randn(3, 10, 4, dtype=torch.float64), torch.randn(3, 10, dtype=torch.float64)
    res = solve(mo.LeastSquaresTasks(A, b))
    assert res.success
    assert isinstance(res.x, torch.Tensor)
    assert res.fun == pytest.approx(solve(mo.LeastSquaresTasks(A.numpy(), b.numpy())).fun, rel=1e-9)


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        (problems.logistic("l").tasks, {}, "needs quadratic tasks, got LogisticTasks; use method='sqp'"),
        (problems.affine("a").tasks, {}, "use method='interior-point'"),
        (random_tasks(), {"ambiguity": mo.KLBall(0.5)}, r"needs ambiguity=Simplex\(\) or CVaR\(\), got KLBall"),
        (random_tasks(), {"domain": mo.Box(-1, 1)}, "no support for a `domain`"),
        (random_tasks(600, 2, 3), {}, "at most 500, got 600; use method='interior-point'"),
        (mo.QuadraticTasks(-np.eye(2)[None]), {}, "needs convex tasks; use method='sqp'"),
    ],
)
def test_refusals(tasks, options, message):
    with pytest.raises(ValueError, match=message):
        solve(tasks, **options)


def test_refuses_what_would_not_fit_in_memory():
    A = np.broadcast_to(0.0, (100, 1, 2000)).copy()
    A[:, 0, 0] = 1.0
    with pytest.raises(ValueError, match="would store 100 Hessians of order 2000"):
        solve(mo.LeastSquaresTasks(A, np.zeros((100, 1))))


def test_constant_losses():
    res = mo.minimize_max(mo.LeastSquaresTasks([[[0.0]], [[0.0]]], [[1.0], [2.0]]))
    assert res.success
    assert res.fun == 4.0
    assert res.lower_bound == pytest.approx(4.0, rel=1e-12)
    np.testing.assert_allclose(res.weights, [0.0, 1.0], atol=1e-12)


@pytest.mark.parametrize("ambiguity", [mo.Simplex(), mo.Simplex(floor=0.3), mo.CVaR(0.4), mo.CVaR(0.4, floor=0.2)])
@pytest.mark.parametrize("regularizer", [None, mo.QuadraticRegularizer(np.diag([0.0, 1, 2, 3, 4, 5, 6, 7]), np.arange(8.0))])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_in_c_and_step_by_step_are_one_method(ambiguity, regularizer, start):
    tasks = random_tasks(8, seed=8)
    options = {"ambiguity": ambiguity, "regularizer": regularizer, "x0": np.full(8, start)}
    whole, steps = solve(tasks, **options), solve(tasks, options=STEPWISE, **options)
    assert whole.success
    assert steps.success
    assert whole.fun == pytest.approx(steps.fun, rel=2e-9)
    np.testing.assert_allclose(whole.x, steps.x, atol=1e-5)
    if native.library() is not None:
        assert whole.nit == 1 < steps.nit


def test_what_the_gram_form_cannot_see_is_found_around_the_new_x():
    """Residuals of 1e-5 beside targets of 1: half the digits of the losses are lost at x0, none at the minimiser."""
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((6, 60, 12)), rng.standard_normal(12)
    res = solve(mo.LeastSquaresTasks(A, A @ x + 1e-5 * rng.standard_normal((6, 60))))
    assert res.success
    assert res.gap <= 1e-8 * res.fun
    if native.library() is not None:
        assert res.nit == 2
