import importlib
import sys

import pytest

pytest.importorskip("PEPit")

from minimax_opt.theory import performance_estimation as pep
from minimax_opt.theory.accelerated import momentum

HORIZONS = [1, 2, 3, 5, 10]


@pytest.mark.parametrize("horizon", HORIZONS)
def test_a4_is_at_least_the_exact_worst_case(horizon):
    """1/(2T) against 1/(4T+2): off by 2 + 1/T, and no constant below 1/(4T+2) would do."""
    exact = pep.gradient_descent_worst_case(horizon)
    assert exact == pytest.approx(pep.gradient_descent_exact(horizon), abs=1e-6)
    assert 1 / (2 * horizon) >= exact
    assert 0.99 / (4 * horizon + 2) < exact - 1e-6  # the broken twin: a constant below the worst case is rejected


@pytest.mark.parametrize("horizon", HORIZONS)
def test_a5_is_at_least_the_exact_worst_case(horizon):
    """1/(2 t_T^2) is off by a factor that falls to 1; 0.85 of it is violated from T = 10 on."""
    exact = pep.accelerated_worst_case(horizon)
    factor = 1 / (2 * momentum(horizon) ** 2) / exact
    assert 1.0 <= factor <= 1.0 + 2.01 / horizon
    assert 2 / (horizon + 1) ** 2 >= 1 / (2 * momentum(horizon) ** 2)
    if horizon >= 10:
        assert 0.85 / (2 * momentum(horizon) ** 2) < exact - 1e-6


def test_without_pepit_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PEPit", None)
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match="pip install pepit"):
        pep.gradient_descent_worst_case(1)
    with pytest.raises(ValueError, match="`horizon`"):
        pep.accelerated_worst_case(0)
