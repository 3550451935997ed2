"""The interval of a mean: its coverage, exactly for coins; its width; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from minimax_opt.theory.confidence import mean_interval


@pytest.mark.parametrize("level", [0.9, 0.999])
@pytest.mark.parametrize("chance", [0.01, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("n", [1, 10, 60])
def test_the_mean_of_coins_is_covered_as_often_as_stated(level, chance, n):
    """The probability of a miss, summed over all counts of heads, on either side."""
    ends = [mean_interval([1.0] * heads + [0.0] * (n - heads), 0.0, 1.0, level=level) for heads in range(n + 1)]
    chances = binom.pmf(np.arange(n + 1), n, chance)
    assert sum(p for p, (low, _) in zip(chances, ends, strict=True) if low > chance) <= (1 - level) / 2
    assert sum(p for p, (_, high) in zip(chances, ends, strict=True) if high < chance) <= (1 - level) / 2


def test_a_constant_sample_at_an_end_is_known_within_log_over_n():
    low, high = mean_interval([2.0] * 100, 1.0, 2.0, level=0.99)
    assert high == 2.0
    assert low == pytest.approx(1.0 + np.exp(-np.log(200) / 100))


def test_the_interval_is_shorter_than_hoeffdings():
    rng = np.random.default_rng(0)
    low, high = mean_interval(rng.random(1000), 0.0, 1.0)
    assert high - low <= 2 * np.sqrt(np.log(2000) / 2000)


def test_bad_input_is_refused():
    for values, low, high in [([], 0, 1), ([2.0], 0, 1), ([0.5], 1, 0)]:
        with pytest.raises(ValueError, match=r"`values`|`high`"):
            mean_interval(values, low, high)
    with pytest.raises(ValueError, match="`level`"):
        mean_interval([0.5], 0.0, 1.0, level=1.0)
