"""C4 and C4': what no learner beats, met by the best one where the design is orthogonal; B': what one step attains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import chdtr
from scipy.stats import chi2

from minimax_opt.theory.bayes import bayes_excess, bayes_samples, minimax_excess, minimax_samples, one_step_excess
from minimax_opt.theory.confidence import law_test, mean_interval
from minimax_opt.theory.simulation import simulate_bayes, simulate_ridge

SETTING = {"distance": 1.0, "noise": 0.5, "dimension": 12}
POSITIVE = st.floats(0.1, 3.0)


def chi_square_law(mean, dimension):
    """Of mean/d times chi^2 of d degrees: the posterior variance is the same in every direction."""
    return lambda e: chdtr(dimension, np.maximum(e, 0.0) * dimension / mean)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_best_learner_meets_the_bound_on_orthogonal_designs(seed):
    excess, conditional = simulate_bayes(**SETTING, n_samples=30, n_trials=20_000, seed=seed, orthogonal=True)
    bound = bayes_excess(**SETTING, n_samples=30)
    assert np.allclose(conditional, bound, rtol=1e-9)
    assert law_test(excess, chi_square_law(bound, 12)).passes
    for twin in (
        bayes_excess(**{**SETTING, "distance": 0.3}, n_samples=30),
        bayes_excess(**{**SETTING, "dimension": 11}, n_samples=30),
        0.25 * 12 / 30,
    ):
        result = law_test(excess, chi_square_law(twin, 12))
        assert not result.passes
        grid = np.linspace(0.0, 1.0, 2000)
        assert np.abs(chi_square_law(twin, 12)(grid) - chi_square_law(bound, 12)(grid)).max() > 2 * result.band


@pytest.mark.parametrize("n_samples", [4, 12, 40])
def test_on_gaussian_designs_the_best_learner_lies_between_the_bounds(n_samples):
    excess, conditional = simulate_bayes(**SETTING, n_samples=n_samples, n_trials=20_000, seed=n_samples)
    assert mean_interval(excess - conditional).contains(0.0)
    risk = mean_interval(conditional)
    assert bayes_excess(**SETTING, n_samples=n_samples) < risk.low  # strict, by Jensen
    assert risk.high < one_step_excess(**SETTING, n_samples=n_samples)
    twin = bayes_excess(**{**SETTING, "dimension": 12**2}, n_samples=n_samples)  # d^2 in place of d
    assert twin > risk.high + (risk.high - risk.low)


@given(POSITIVE, POSITIVE, st.integers(1, 300), st.floats(0.01, 5.0))
def test_samples_invert_the_bound(distance, noise, dimension, excess):
    setting = {"distance": distance, "noise": noise, "dimension": dimension}
    n = bayes_samples(**setting, excess=excess)
    if n > 0:
        assert bayes_excess(**setting, n_samples=n) == pytest.approx(excess, rel=1e-9)
    else:
        assert excess >= distance**2 * (1 - 1e-12)
    worst = minimax_samples(**setting, excess=excess)
    assert worst <= n
    if worst > 0:
        assert minimax_excess(**setting, n_samples=worst) == pytest.approx(excess, rel=1e-9)


@given(POSITIVE, POSITIVE, st.integers(1, 300), st.floats(0.0, 1000.0))
def test_the_worst_case_over_the_ball_is_bounded_by_less_than_the_gaussian_mean(distance, noise, dimension, n_samples):
    setting = {"distance": distance, "noise": noise, "dimension": dimension, "n_samples": n_samples}
    assert 0 <= minimax_excess(**setting) <= bayes_excess(**setting) <= one_step_excess(**setting)


@pytest.mark.parametrize(("dimension", "n_samples"), [(1, 2), (12, 30), (198, 300)])
def test_the_worst_case_bound_is_the_one_that_is_proved(dimension, n_samples):
    """C4' from its proof: the Bayes risk for w ~ N(0, (k D^2/d) I) less 4 E |w|^2 1{|w| > D}, here by quadrature, at the best k."""
    setting = {"distance": 1.3, "noise": 0.5, "dimension": dimension, "n_samples": n_samples}
    values = []
    for k in np.linspace(0.01, 1.0, 199):
        scale = k * 1.3**2 / dimension
        outside = quad(lambda s, scale=scale: scale * s * chi2.pdf(s, dimension), dimension / k, np.inf)[0]
        values.append(bayes_excess(**{**setting, "distance": 1.3 * k**0.5}) - 4 * outside)
    assert minimax_excess(**setting) == pytest.approx(max(values), rel=1e-6)


def test_without_the_cut_off_the_worst_case_bound_is_false():
    """One number in [-1, 1] seen in noise of variance 1: tanh(y) has a worst risk of 0.45, below the 1/2 of the Gaussian prior."""
    setting = {"distance": 1.0, "noise": 1.0, "dimension": 1, "n_samples": 1}
    noise, weights = np.polynomial.hermite_e.hermegauss(80)
    w = np.linspace(-1.0, 1.0, 201)
    worst = ((np.tanh(w[:, None] + noise) - w[:, None]) ** 2 @ weights).max() / weights.sum()
    assert minimax_excess(**setting) <= worst < 0.46 < bayes_excess(**setting)


@pytest.mark.parametrize("length", [1.0, 0.7])
def test_a_task_in_the_ball_is_not_learned_below_the_bound_by_the_best_linear_learner(length):
    """By symmetry every w of one length has the same risk under ridge; at |w| = D it is at least the worst-case bound."""
    d, n = 40, 60
    w = np.zeros(d)
    w[0] = length
    s = 1 / (1 + (d * 0.25 + d + 1) / n)
    risk = mean_interval(
        simulate_ridge(w, np.zeros(d), shrinkage=s, noise=0.5, n_samples=n, n_trials=4000, seed=1, one_step=True)
    )
    bound = minimax_excess(distance=length, noise=0.5, dimension=d, n_samples=n)
    assert bound > 0.3 * length**2 / (1 + length**2 * n / (d * 0.25))  # it says something
    assert bound < risk.low


@pytest.mark.parametrize("n_samples", [1, 3, 20])
def test_one_step_attains_its_formula_for_every_number_of_samples(n_samples):
    """B': |w|^2 ((1 - s)^2 + s^2 (d + 1)/n) + s^2 d sigma^2/n, least at s = n/(n + d + 1 + d sigma^2/D^2)."""
    d, D, sigma = 2, 1.0, 0.5
    s = n_samples / (n_samples + d + 1 + d * sigma**2 / D**2)
    excess = simulate_ridge(
        [0.6, 0.8], [0.0, 0.0], shrinkage=s, noise=sigma, n_samples=n_samples, n_trials=60_000, seed=n_samples, one_step=True
    )
    interval = mean_interval(excess)
    assert interval.contains(one_step_excess(distance=D, noise=sigma, dimension=d, n_samples=n_samples))
    for twin in (
        1 / (1 / D**2 + n_samples / (d * sigma**2 + d * D**2)),
        bayes_excess(distance=D, noise=sigma, dimension=d, n_samples=n_samples),
    ):
        assert not interval.contains(twin)


def test_input_is_checked():
    for function in (bayes_excess, minimax_excess, one_step_excess):
        for name, value in (("distance", 0.0), ("noise", -1.0), ("dimension", 0), ("n_samples", -1)):
            with pytest.raises(ValueError, match=name):
                function(**{**SETTING, "n_samples": 3, name: value})
    with pytest.raises(ValueError, match="n_samples"):
        simulate_bayes(**SETTING, n_samples=5, n_trials=2, seed=0, orthogonal=True)
