"""The intervals and bands that other tests decide by: their coverage, exactly for coins; their width; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from minimax_opt.theory.confidence import bounded_mean_interval, law_test, mean_interval


@pytest.mark.parametrize("confidence", [0.9, 0.999])
@pytest.mark.parametrize("chance", [0.01, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("n", [1, 10, 60])
def test_the_mean_of_coins_is_covered_as_often_as_stated(confidence, chance, n):
    """The probability of a miss, summed over all counts of heads, on either side."""
    ends = [bounded_mean_interval([1.0] * heads + [0.0] * (n - heads), 0.0, 1.0, confidence) for heads in range(n + 1)]
    chances = binom.pmf(np.arange(n + 1), n, chance)
    assert sum(p for p, end in zip(chances, ends, strict=True) if end.low > chance) <= (1 - confidence) / 2
    assert sum(p for p, end in zip(chances, ends, strict=True) if end.high < chance) <= (1 - confidence) / 2


def test_a_constant_sample_at_an_end_is_known_within_log_over_n():
    mean, low, high = bounded_mean_interval([2.0] * 100, 1.0, 2.0, confidence=0.99)
    assert mean == high == 2.0
    assert low == pytest.approx(1.0 + np.exp(-np.log(200) / 100))


def test_the_interval_is_shorter_than_hoeffdings():
    _, low, high = bounded_mean_interval(np.random.default_rng(0).random(1000), 0.0, 1.0)
    assert high - low <= 2 * np.sqrt(np.log(2000) / 2000)


def test_intervals_cover_as_often_as_they_say():
    generator = np.random.default_rng(0)
    covered = [mean_interval(generator.exponential(size=500), 0.9).contains(1.0) for _ in range(2000)]
    assert 0.9 - 4 * 0.0067 < np.mean(covered) < 0.9 + 4 * 0.0067  # four standard deviations of a binomial


def test_bands_cover_at_least_as_often_as_they_say_and_reject_twins():
    generator = np.random.default_rng(1)
    samples = generator.uniform(size=(2000, 200))
    assert np.mean([law_test(sample, lambda u: u, 0.9).passes for sample in samples]) > 0.9 - 4 * 0.0067
    band = law_test(samples[0], lambda u: u, 0.9).band
    shifted = [law_test(np.minimum(sample, 1.0) ** 1.8, lambda u: u, 0.9).passes for sample in samples]
    assert np.mean(shifted) < 0.1
    assert np.abs(np.linspace(0, 1, 500) ** (1 / 1.8) - np.linspace(0, 1, 500)).max() > 2 * band


def test_bad_input_is_refused():
    for values, low, high in [([], 0, 1), ([2.0], 0, 1), ([0.5], 1, 0)]:
        with pytest.raises(ValueError, match=r"`values`|`high`"):
            bounded_mean_interval(values, low, high)
    with pytest.raises(ValueError, match="`confidence`"):
        bounded_mean_interval([0.5], 0.0, 1.0, confidence=1.0)
    with pytest.raises(ValueError, match="`values`"):
        mean_interval([1.0])
    with pytest.raises(ValueError, match="`confidence`"):
        mean_interval([1.0, 2.0], 1.0)
