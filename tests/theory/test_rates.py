"""Slopes where the theory derives an exponent; a method with the wrong smoothing is caught by the same fit."""

import numpy as np
import pytest

from minimax_opt.reproduce import convergence, rates, tightness
from minimax_opt.solvers import SoftmaxGD
from minimax_opt.tasks import AffineTasks
from minimax_opt.theory.mirror import descent_ascent_optimum
from minimax_opt.theory.trajectory import states

HORIZONS = np.array([128, 256, 512])


@pytest.mark.parametrize(("method", "exponent"), rates.PREDICTED.items())
def test_exponents(method, exponent):
    gaps = np.array([rates._gaps(method, b, x0, HORIZONS) for b, x0 in ((0.06, 1.7), (0.1, 1.0), (0.25, 0.6))])
    fit = rates._slope(HORIZONS, gaps)
    assert exponent - rates.FINITE <= fit["low"] <= fit["high"] <= exponent + rates.FINITE


def test_a_fixed_smoothing_has_no_rate():
    """The broken twin: the gap stops at the bias."""
    tasks, gaps = AffineTasks([[1.0], [-0.1]], [0.0, 0.0]), []
    for T in HORIZONS:
        *_, last = states(SoftmaxGD(smoothing=0.05, step_size=0.05), tasks, np.ones(1), int(T))
        gaps.append(last.point.value)
    assert rates._slope(HORIZONS, np.array([gaps, gaps]))["low"] > -0.5 + rates.FINITE


def test_descent_ascent_is_one_sided():
    for T in (30, 100, 333):
        bound = descent_ascent_optimum(horizon=T, radius=1.0, lipschitz=1.0, spread=2.0, n_tasks=2)
        assert 0.0 <= rates._descent_ascent(T) <= bound


def test_claims_can_fail():
    """A gap above its bound, a ratio that is not 1 and an iterate outside the ball turn the verdict."""
    curve = {"gap": [1.0, 0.5], "bound": [2.0, 1.0], "largest_ratio": 0.5, "inside": True}
    problem = {"title": "", "certified": 1e-9, "curves": {method: dict(curve) for method in convergence.METHODS}}
    result = {"horizon": 2, "problems": {"one": problem}}
    assert all(claim.holds for claim in convergence.claims(result))
    problem["curves"]["accelerated"]["largest_ratio"] = 1.01
    problem["curves"]["mirror-prox"]["inside"] = False
    assert [claim.holds for claim in convergence.claims(result)] == [True, False, True, False]
    slow = {"softmax-gd": [0.4, 0.499], "accelerated": [0.5, 0.99]}
    table = {"horizons": [1], "exact": {m: [1 / 6] for m in slow}, "bound": {m: [0.5] for m in slow}}
    result = {"horizons": [1, 500], "instances": slow, "curvature_ratio": 1.0, "worst_cases": table}
    assert all(claim.holds for claim in tightness.claims(result))
    result["curvature_ratio"], table["bound"]["accelerated"] = 0.99, [0.16]  # below the exact worst case
    assert [claim.holds for claim in tightness.claims(result)] == [False, True, True, True, False, True]
    result["worst_cases"] = None
    assert "pip install pepit" in tightness.claims(result)[-1].measured
