import numpy as np
import pytest

from minimax_opt.theory.accelerated import accelerated_optimum
from minimax_opt.theory.gradient_descent import gradient_descent_optimum
from minimax_opt.theory.limits import LIMITS
from minimax_opt.theory.mirror import descent_ascent_optimum, mirror_prox_optimum

EPS = np.logspace(-6, -1, 30)
BY_NAME = {limit.name: limit for limit in LIMITS}


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_no_upper_bound_lies_below_its_lower_bound(limit):
    for size in (3, 100):
        upper, lower = limit.calls(EPS, size)
        assert (upper >= lower * (1 - 1e-12)).all()
        assert upper.shape == EPS.shape == lower.shape
    assert isinstance(limit.calls(0.1)[0], float)
    assert limit.source


@pytest.mark.parametrize(
    ("name", "upper", "lower"),
    [
        ("subgradient", -2, -2),
        ("smoothing", -1, -2 / 3),
        ("matrix games", -2 / 3, -2 / 3),
        ("one function at a time", -2, -2 / 3),
        ("sampling", -2, -2),
    ],
)
def test_exponents(name, upper, lower):
    for curve, exponent in zip(BY_NAME[name].calls(EPS, 2), (upper, lower), strict=True):
        slope = np.log(curve[1] / curve[0]) / np.log(EPS[1] / EPS[0])
        assert slope == pytest.approx(exponent, abs=1e-3)


def test_our_methods_have_the_exponents_that_the_page_says():
    """Plain softmax descent and descent-ascent need 1/eps^2 steps by their bounds, the accelerated method and mirror-prox 1/eps."""
    T = np.array([1e4, 1e6])
    common = {"horizon": T, "radius": 1.0, "n_tasks": 4}
    slow = [
        gradient_descent_optimum(**common, smoothness=0.0, lipschitz=1.0),
        descent_ascent_optimum(**common, lipschitz=1.0, spread=1.0),
    ]
    fast = [
        accelerated_optimum(**common, smoothness=0.0, lipschitz=1.0),
        mirror_prox_optimum(**common, smoothness=0.0, diameter=2.0),
    ]
    for bound in slow:
        assert np.log(bound[0] / bound[1]) / np.log(100) == pytest.approx(0.5, abs=1e-6)
    for bound in fast:
        assert np.log(bound[0] / bound[1]) / np.log(100) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("eps", [0.3, 1e-3])
def test_our_methods_take_the_steps_that_the_page_says(eps):
    """At T of the page's second table, a real number, the bound is eps; `accelerated` has T + 1 in the place of T."""
    G, D, R, M, K, log = 2.0, 3.0, 1.5, 0.7, 6, np.log(6)
    common, unit = {"radius": R, "n_tasks": K, "smoothness": 0.0}, {"horizon": 1, "radius": R, "n_tasks": K}
    at_one = {
        2 * log * (G * R / eps) ** 2: (gradient_descent_optimum(horizon=1, lipschitz=G, **common), 0.5),
        (G * R + M * np.sqrt(log / 2)) ** 2 / eps**2: (descent_ascent_optimum(lipschitz=G, spread=M, **unit), 0.5),
        2 * np.sqrt(2 * log) * G * R / eps: (2 * accelerated_optimum(horizon=1, lipschitz=G, **common), 1.0),
        np.sqrt(log / 2) * D * R / eps: (mirror_prox_optimum(horizon=1, diameter=D, **common), 1.0),
    }
    for steps, (value, exponent) in at_one.items():  # the bounds are powers of T (of T + 1), by the test above
        assert value * steps**-exponent == pytest.approx(eps)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`accuracy`"):
        LIMITS[0].calls(0.0)
    with pytest.raises(ValueError, match="`size`"):
        LIMITS[0].calls(0.1, 0)
