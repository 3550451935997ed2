"""respond() and worst_case() against cvxpy, which knows only the definition of the sets."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from ambiguity.ambiguity_cases import ALL, N_TASKS, base_weights, label

from minimax_opt.ambiguity import ChiSquareBall, CVaR, KLBall, respond, worst_case


def reference(losses, ambiguity, smoothing, geometry, anchor):
    """The value over the base set, and a maximiser of it, by a conic solver."""
    w, q = cp.Variable(len(losses), nonneg=True), ambiguity.prior_weights(len(losses))
    constraints = [cp.sum(w) == 1]
    if isinstance(ambiguity, CVaR):
        constraints.append(w <= q / ambiguity.tail_fraction)
    if isinstance(ambiguity, KLBall):
        constraints.append(cp.sum(cp.rel_entr(w, q)) <= ambiguity.radius)
    if isinstance(ambiguity, ChiSquareBall):
        constraints.append(cp.sum_squares((w - q) / np.sqrt(q)) / 2 <= ambiguity.radius)
    objective = w @ losses
    if smoothing > 0:
        objective -= smoothing * (cp.sum(cp.rel_entr(w, anchor)) if geometry == "entropic" else cp.sum_squares(w - anchor) / 2)
    problem = cp.Problem(cp.Maximize(objective), constraints)
    problem.solve(solver=cp.CLARABEL)
    return problem.value, w.value


@pytest.mark.parametrize(("ambiguity", "geometry", "smoothing"), ALL, ids=label)
@pytest.mark.parametrize("anchored", [False, True])
def test_value_and_weights_equal_those_of_a_conic_solver(ambiguity, geometry, smoothing, anchored):
    rng = np.random.default_rng(5)
    losses = rng.standard_normal(N_TASKS)
    anchor = rng.dirichlet(np.full(N_TASKS, 3.0)) if anchored else ambiguity.prior_weights(N_TASKS)
    options = {"smoothing": smoothing, "geometry": geometry, "anchor": anchor if anchored else None}
    value, weights = reference(losses, ambiguity, smoothing, geometry, anchor)
    floor, q = ambiguity.floor, ambiguity.prior_weights(N_TASKS)
    np.testing.assert_allclose(worst_case(losses, ambiguity, **options), (1 - floor) * value + floor * (q @ losses), atol=1e-6)
    ours = respond(losses, ambiguity, **options)
    # A conic solver's weights carry the square root of its tolerance.
    np.testing.assert_allclose(base_weights(ambiguity, ours), weights, atol=1e-4)
    assert ambiguity.contains(ours, 1e-13)
