"""C1, C2: the law of downstream least squares, its mean, the samples that it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import fdtr

from minimax_opt.theory.confidence import law_test, mean_interval
from minimax_opt.theory.downstream import least_squares_cdf, least_squares_excess, least_squares_samples
from minimax_opt.theory.simulation import simulate_least_squares

TRIALS = 40_000
CASES = [(0.3, 0.5, 2, 10), (0.0, 0.5, 3, 12), (1.0, 0.2, 1, 8)]  # b, sigma, r, n
THOUSANDTH = 1 - 0.001 / (2 * len(CASES))  # all checks of a seed together fail with probability 0.001


def simulated(case, seed, dimension=6):
    b, sigma, rank, n = case
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, dimension)))[0]
    theta = rotation[:, : rank + 1] @ np.array([*np.linspace(1.0, 2.0, rank), np.sqrt(b)])
    return simulate_least_squares(theta, rotation[:, :rank], noise=sigma, n_samples=n, n_trials=TRIALS, seed=seed)


def law(case, shift=0.0, without_residual=False):
    """The distribution function of C1', or a broken twin of it."""
    b, sigma, rank, n = case
    spare, scale = n - rank + 1 + shift, sigma**2 + (0.0 if without_residual else b)
    return lambda e: fdtr(rank, spare, np.maximum(e - b, 0.0) * spare / (rank * scale))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_simulation_follows_the_law(case, seed):
    b, sigma, rank, n = case
    excess = simulated(case, seed)
    assert law_test(excess, lambda e: least_squares_cdf(e, residual=b, noise=sigma, rank=rank, n_samples=n), THOUSANDTH).passes
    assert mean_interval(excess, THOUSANDTH).contains(least_squares_excess(residual=b, noise=sigma, rank=rank, n_samples=n))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("twin", [{"shift": 1}, {"shift": -1}, {"without_residual": True}])
def test_broken_laws_are_rejected(case, twin):
    if case[0] == 0 and "without_residual" in twin:
        return  # the same law
    result = law_test(simulated(case, 2), law(case, **twin), THOUSANDTH)
    assert not result.passes
    grid = case[0] + np.geomspace(1e-3, 1e2, 2000)
    assert (
        np.abs(law(case, **twin)(grid) - law(case)(grid)).max() > 2 * result.band
    )  # so any seed rejects it, all but one in a thousand


@pytest.mark.parametrize("case", CASES)
def test_broken_means_are_rejected(case):
    b, sigma, rank, n = case
    interval = mean_interval(simulated(case, 3), THOUSANDTH)
    true = least_squares_excess(residual=b, noise=sigma, rank=rank, n_samples=n)
    twins = [b + (sigma**2 + b) * rank / (n - rank), b + (sigma**2 + b) * rank / (n - rank - 2)]
    twins += [b + sigma**2 * rank / (n - rank - 1)] * (b > 0)
    for twin in twins:
        assert not interval.contains(twin)
        assert abs(twin - true) > interval.high - interval.low  # two half-widths: any seed rejects it


@given(st.floats(0.0, 2.0), st.floats(0.05, 2.0), st.integers(1, 6), st.integers(1, 300))
def test_the_law_has_the_mean_of_c1(b, sigma, rank, spare):
    """E = integral of 1 - F, by quadrature over quantiles of the tail, where the mean is finite with room."""
    from scipy.integrate import quad

    n = rank + 3 + spare
    tail = quad(
        lambda e: 1 - least_squares_cdf(b + (sigma**2 + b) * e, residual=b, noise=sigma, rank=rank, n_samples=n), 0, np.inf
    )
    expected = b + (sigma**2 + b) * tail[0]
    assert least_squares_excess(residual=b, noise=sigma, rank=rank, n_samples=n) == pytest.approx(expected, rel=1e-6)


@given(st.floats(0.0, 2.0), st.floats(0.05, 2.0), st.integers(1, 6), st.floats(1e-3, 3.0))
def test_samples_are_the_least_that_suffice(b, sigma, rank, above):
    n = least_squares_samples(residual=b, noise=sigma, rank=rank, excess=b + above)
    assert n == int(n) >= rank + 2
    assert least_squares_excess(residual=b, noise=sigma, rank=rank, n_samples=n) <= (b + above) * (1 + 1e-9)
    assert least_squares_excess(residual=b, noise=sigma, rank=rank, n_samples=n - 1) > (b + above) * (1 - 1e-9)


@given(st.floats(0.0, 2.0), st.floats(1e-3, 1.0), st.floats(0.05, 2.0), st.integers(1, 6))
def test_more_residual_needs_more(b, more, sigma, rank):
    """C2: both increase with b."""
    same = {"noise": sigma, "rank": rank}
    n = np.arange(rank + 2, 60)
    assert (
        least_squares_excess(residual=b + more, n_samples=n, **same) > least_squares_excess(residual=b, n_samples=n, **same)
    ).all()
    eps = np.linspace(0.01, 4.0, 50)
    assert (
        least_squares_samples(residual=b + more, excess=eps, **same) >= least_squares_samples(residual=b, excess=eps, **same)
    ).all()


def test_below_the_residual_no_number_of_samples_suffices():
    assert least_squares_samples(residual=0.5, noise=0.1, rank=2, excess=0.5) == np.inf
    assert least_squares_excess(residual=0.5, noise=0.1, rank=2, n_samples=[2, 3]).tolist() == [np.inf, np.inf]


def test_input_is_checked():
    good = {"residual": 0.1, "noise": 0.5, "rank": 2}
    for name, value in (("residual", -1.0), ("noise", 0.0), ("rank", 0)):
        with pytest.raises(ValueError, match=name):
            least_squares_excess(n_samples=5, **{**good, name: value})
    with pytest.raises(ValueError, match="n_samples"):
        least_squares_cdf(1.0, n_samples=1, **good)
    with pytest.raises(ValueError, match="excess"):
        least_squares_samples(excess=0.0, **good)
