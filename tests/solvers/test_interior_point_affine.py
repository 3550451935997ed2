"""Small linear programs: the compiled interior point and the Python one, both against HiGHS."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import minimax_opt as mo
from minimax_opt import Status, native

TOL = 1e-6
needs_native = pytest.mark.skipif(native.library() is None, reason="the C module is not built")


def reference(G, c, box=None):
    """The optimal value; -inf where there is none."""
    K, n = G.shape
    free = [(None, None)] * n if box is None else [(float(low), float(high)) for low, high in zip(*box, strict=True)]
    costs, matrix = np.append(np.zeros(n), 1.0), np.column_stack((G, -np.ones(K)))
    found = linprog(costs, A_ub=matrix, b_ub=-c, bounds=[*free, (None, None)], method="highs")
    assert found.status in (0, 3), found.message
    return found.fun if found.status == 0 else -np.inf


def rows(kind, K, n, generator):
    """Data that are random, small integers (ties, duplicate rows and columns), rank-deficient, or of very different units."""
    G, c = generator.standard_normal((K, n)), generator.standard_normal(K)
    if kind == "integer":
        return generator.integers(-2, 3, (K, n)).astype(float), generator.integers(-2, 3, K).astype(float)
    if kind == "repeated":
        return np.vstack((G, G[: K // 2])), np.concatenate((c, c[: K // 2]))
    if kind == "rank":
        return np.column_stack((G, G[:, :1] - G[:, -1:], np.zeros(K))), c
    return (G * 10.0 ** generator.integers(-4, 5, n) if kind == "units" else G), c


programs = {
    "kind": st.sampled_from(["random", "integer", "repeated", "rank", "units"]),
    "K": st.integers(2, 14),
    "n": st.integers(1, 6),
    "mirrored": st.booleans(),
    "boxed": st.booleans(),
    "moved": st.booleans(),
    "seed": st.integers(0, 2**31),
}


def check_program(kind, K, n, mirrored, boxed, moved, seed):
    generator = np.random.default_rng(seed)
    G, c = rows(kind, K, n, generator)
    if mirrored:  # max |Gx + c|: bounded, whatever G is
        G, c = np.vstack((G, -G)), np.concatenate((c, -c))
    box = None
    if boxed:
        box = (
            np.where(generator.random(G.shape[1]) < 0.3, -np.inf, -1.0),
            np.where(generator.random(G.shape[1]) < 0.3, np.inf, 2.0),
        )
    x0 = generator.standard_normal(G.shape[1]) if moved else None
    res = mo.minimize_max(mo.AffineTasks(G, c), x0, method="interior-point", tol=TOL, domain=mo.Box(*box) if boxed else None)
    best, size = reference(G, c, box), float(np.abs(c).max())
    if best == -np.inf:
        assert res.status is Status.UNBOUNDED
        return
    rounding = 1e-8 * (size + abs(best))  # of HiGHS, whose feasibility tolerance is no smaller
    assert res.status in (Status.CONVERGED, Status.STALLED)  # degenerate programs may have no certificate
    assert res.fun >= best - rounding
    assert not res.lower_bound > best + rounding
    assert res.fun <= best + 2 * max(TOL * abs(res.fun), 1e-3 * TOL * size) + rounding
    assert res.weights.min() >= 0
    assert abs(res.weights.sum() - 1) < 1e-12
    if boxed:
        assert np.all((box[0] <= res.x) & (res.x <= box[1]))


@settings(max_examples=150, deadline=None)
@given(**programs)
def test_matches_highs(kind, K, n, mirrored, boxed, moved, seed):
    check_program(kind, K, n, mirrored, boxed, moved, seed)


@settings(max_examples=75, deadline=None)
@given(**programs)
def test_python_matches_highs(kind, K, n, mirrored, boxed, moved, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        check_program(kind, K, n, mirrored, boxed, moved, seed)


def random_program(K, n, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((K, n)), generator.standard_normal(K)


@needs_native
@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("tol", [1e-3, 1e-9, 1e-12])
def test_one_step_certifies_what_python_needs_many_for(tol, boxed):
    tasks, domain = mo.ChebyshevTasks(*random_program(80, 12)), mo.Box(-0.05, 0.1) if boxed else None
    found = mo.minimize_max(tasks, method="interior-point", tol=tol, domain=domain)
    expected = mo.minimize_max(tasks, method="interior-point", tol=tol, domain=domain, options={"native": False})
    assert found.success
    assert expected.success
    assert found.nit == 1 < expected.nit
    assert abs(found.fun - expected.fun) <= 2 * tol * expected.fun
    assert found.gap <= tol * found.fun
    assert found.nfev >= expected.nit
    assert found.nhev >= expected.nit


@needs_native
def test_tasks_without_part_get_no_weight():
    tasks = mo.AffineTasks(*random_program(120, 10, seed=3))
    tasks = mo.AffineTasks(np.vstack((tasks.A, -tasks.A)), np.append(tasks.b, -tasks.b))
    res = mo.minimize_max(tasks, method="interior-point", tol=1e-10)
    below = res.losses < res.fun - 1e-3 * abs(res.fun)
    assert below.sum() > 200
    assert res.weights[below].max() < 1e-7
    assert np.count_nonzero(res.weights > 1e-6) <= 11


@needs_native
def test_warm_start_needs_fewer_evaluations():
    tasks = mo.ChebyshevTasks(*random_program(60, 8))
    cold = mo.minimize_max(tasks, method="interior-point", tol=1e-3)
    first = mo.minimize_max(tasks, method="interior-point", tol=1e-9)
    warm = mo.minimize_max(tasks, cold.x, weights0=cold.weights, method="interior-point", tol=1e-9)
    assert warm.success
    assert abs(warm.fun - first.fun) <= 2e-9 * first.fun
    assert warm.nhev <= first.nhev


@needs_native
def test_goes_on_in_python_where_the_certificate_asks_for_more(monkeypatch):
    """A compiled solve that stops early is a start like any other."""
    library = native.library()

    def early(*arguments):
        return library.linear_program(*arguments[:8], 1e-2, *arguments[9:])

    monkeypatch.setattr(native, "library", lambda: SimpleNamespace(linear_program=early))
    res = mo.minimize_max(mo.ChebyshevTasks(*random_program(60, 8)), method="interior-point", tol=1e-9)
    assert res.success
    assert 1 < res.nit < 9
    assert res.gap <= 1e-9 * res.fun


@needs_native
def test_begins_anew_in_python_where_the_compiled_one_gives_up(monkeypatch):
    library = native.library()

    def hopeless(*arguments):
        return library.linear_program(*arguments[:11], 1, *arguments[12:])  # one iteration at most

    tasks = mo.ChebyshevTasks(*random_program(60, 8))
    monkeypatch.setattr(native, "library", lambda: None)
    expected = mo.minimize_max(tasks, method="interior-point", tol=1e-9)
    monkeypatch.setattr(native, "library", lambda: SimpleNamespace(linear_program=hopeless))
    found = mo.minimize_max(tasks, method="interior-point", tol=1e-9)
    assert found.success
    assert found.nit == expected.nit
    assert np.array_equal(found.x, expected.x)


@needs_native
@pytest.mark.parametrize(
    "changed",
    [
        {"ambiguity": mo.CVaR(0.5)},
        {"ambiguity": mo.Simplex(floor=0.1)},
        {"regularizer": mo.Ridge(0.1)},
        {"regularizer": mo.L1(0.1)},
        {"domain": mo.domains.Simplex()},
        {"domain": mo.Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0])},
    ],
)
def test_other_problems_are_left_to_python(changed, monkeypatch):
    def never(*arguments):
        raise AssertionError("not a linear program over the simplex of weights and a box")

    monkeypatch.setattr(native, "library", lambda: SimpleNamespace(linear_program=never))
    assert mo.minimize_max(mo.ChebyshevTasks(*random_program(20, 3)), method="interior-point", **changed).success


def call(G, c, box=None, n=None, limit=60):
    """The compiled function itself: (iterations, x)."""
    lower, upper = (np.empty(0), np.empty(0)) if box is None else box
    n = G.shape[1] if n is None else n
    pairs = len(c) + sum(int(np.isfinite(bound).sum()) for bound in (lower, upper))
    x, u, s = np.zeros(n), np.zeros(pairs), np.zeros(pairs)
    return native.library().linear_program(G, c, lower, upper, x, u, s, 0.0, 1e-9, 0.0, 1.0, limit, 2, False)[0], x


@needs_native
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
@pytest.mark.parametrize("where", [0, 1])
def test_numbers_that_are_not_finite_end_the_iterations(where, value):
    data = random_program(30, 4)
    data[where].flat[5] = value
    assert call(*data, limit=10**6)[0] == -1


@needs_native
def test_unbounded_programs_end_the_iterations():
    assert call(np.array([[1.0], [2.0]]), np.zeros(2), limit=10**6)[0] == -1


@needs_native
def test_large_numbers_do_not_pass_for_a_solution():
    """Tasks of one slope: the centred rows are rounding alone, and so is where x runs off to."""
    G, c = np.full((3, 2), 3.0), np.array([-3.0, -2.0, 1.0])
    assert call(G, c)[0] == -1
    assert mo.minimize_max(mo.AffineTasks(G, c), method="interior-point", tol=1e-4).status is Status.UNBOUNDED


@needs_native
def test_lengths_must_fit():
    G, c = random_program(30, 4)
    with pytest.raises(ValueError, match="lengths"):
        call(G, c, n=5)
    with pytest.raises(ValueError, match="lengths"):
        call(G, c[:-1])
    with pytest.raises(ValueError, match="lengths"):
        call(G, c, (np.zeros(3), np.ones(3)))
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        call(G.T, c, n=30)
