"""The intervals and bands that the other tests decide by."""

import numpy as np
import pytest

from minimax_opt.theory.monte_carlo import law_test, mean_interval


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


def test_input_is_checked():
    with pytest.raises(ValueError, match="values"):
        mean_interval([1.0])
    with pytest.raises(ValueError, match="confidence"):
        mean_interval([1.0, 2.0], 1.0)
