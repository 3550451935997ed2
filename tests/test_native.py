"""The solvers in C: the same answers as the NumPy ones, and no harm from arguments that make no sense."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimax_opt import native
from minimax_opt.solvers.capped_qp import solve_capped_qp
from minimax_opt.solvers.simplex_qp import solve_simplex_qp

LIBRARY = native.library()
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="the C module is not built, or turned off")


def both(function, *arguments):
    """(NumPy's, C's)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        reference = function(*arguments)
    return reference, function(*arguments)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_the_quadratic_programs_agree(seed, n_tasks, n, floor):
    rng = np.random.default_rng(seed)
    G, c = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)
    M, lower, upper = G @ G.T, np.full(n_tasks, 0.3 / n_tasks) if floor else None, np.full(n_tasks, max(3 / n_tasks, 0.4))
    for arguments in ((M, c, None, lower), (M, c, upper, None, lower)):
        plain, compiled = both(solve_simplex_qp if len(arguments) == 4 else solve_capped_qp, *arguments)
        assert compiled.value == pytest.approx(plain.value, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(G.T @ compiled.weights, G.T @ plain.weights, atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["M", "c", "row", "w", "upper"])
def test_what_is_not_finite_ends(bad, where):
    rng = np.random.default_rng(0)
    for n_tasks in (1, 2, 5, 20):
        G = rng.standard_normal((n_tasks, 4))
        M, c, w, upper = G @ G.T, rng.standard_normal(n_tasks), np.zeros(n_tasks), np.full(n_tasks, max(2 / n_tasks, 0.3))
        for chosen in (None, upper):
            parts = {"M": M.copy(), "c": c.copy(), "w": w.copy(), "upper": upper.copy()}
            if where == "row":
                parts["M"][0] = parts["M"][:, 0] = bad
            else:
                parts[where].flat[-1] = bad
            LIBRARY.simplex_qp(parts["M"], parts["c"], None, parts["upper"] if chosen is not None else None, parts["w"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("where", range(4))
def test_dual_newton_ends_whatever_the_numbers(bad, where):
    rng = np.random.default_rng(1)
    G = rng.standard_normal((4, 6, 3))
    parts = [G.transpose(0, 2, 1) @ G, rng.standard_normal((4, 3)), rng.standard_normal(4), np.eye(3)]
    parts[where].flat[0] = bad
    steps, _ = LIBRARY.dual_newton(*parts, None, None, 1e-9, 0.0, 50, np.zeros(3), np.full(4, 0.25))
    assert steps <= 50


def test_dual_newton_keeps_to_its_limit_and_to_its_sizes():
    rng = np.random.default_rng(2)
    G, q, c, w = rng.standard_normal((5, 8, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5), np.full(5, 0.2)
    P = G.transpose(0, 2, 1) @ G
    for limit in range(4):
        assert LIBRARY.dual_newton(P, q, c, None, None, None, 1e-15, 0.0, limit, np.zeros(4), w.copy())[0] <= max(limit, 1)
    with pytest.raises(ValueError, match="`P` must hold 80 doubles"):
        LIBRARY.dual_newton(P[:4].copy(), q, c, None, None, None, 0.0, 0.0, 5, np.zeros(4), w)
    with pytest.raises(ValueError, match="`upper` must hold 5 doubles"):
        LIBRARY.dual_newton(P, q, c, None, None, np.ones(4), 0.0, 0.0, 5, np.zeros(4), w)


def test_sizes_that_do_not_fit_are_refused():
    M, c, w = np.eye(3), np.zeros(3), np.zeros(3)
    with pytest.raises(ValueError, match="`M` must hold 9 doubles"):
        LIBRARY.simplex_qp(np.eye(2), c, None, None, w)
    with pytest.raises(ValueError, match="`w` must hold 3 doubles"):
        LIBRARY.simplex_qp(M, c, None, None, np.zeros(2))
    with pytest.raises(ValueError, match="`c` must hold"):
        LIBRARY.simplex_qp(M, np.zeros(0), None, None, w)
    with pytest.raises(TypeError):
        LIBRARY.simplex_qp(M.tolist(), c, None, None, w)
    assert w.tolist() == [0.0, 0.0, 0.0]


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("MINIMAX_OPT_NATIVE", "0")
    assert native.library.__wrapped__() is None
    monkeypatch.setenv("MINIMAX_OPT_NATIVE", "1")
    assert native.library.__wrapped__() is not None
