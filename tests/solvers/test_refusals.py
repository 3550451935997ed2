"""Every method that a refusal names takes the problem."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minimax_opt as mo
from minimax_opt.solvers import METHODS

SETS = [mo.Simplex(), mo.CVaR(0.5), mo.KLBall(0.1)]
EXTRAS = {
    "plain": {},
    "box": {"domain": mo.Box(-1.0, 1.0)},
    "ball": {"domain": mo.Ball(1.0)},
    "l1": {"regularizer": mo.L1(0.1)},
    "ridge, l1 and box": {"regularizer": mo.Ridge(0.1) + mo.L1(0.1), "domain": mo.Box(-1.0, 1.0)},
}


def family(name):
    rng = np.random.default_rng(0)
    A, b = [rng.normal(size=(6, 2)) for _ in range(3)], [np.abs(rng.normal(size=6)) for _ in range(3)]
    return getattr(mo, name)(A, [(t > 0.5).astype(float) for t in b] if name == "LogisticTasks" else b)


@pytest.mark.parametrize("name", ["QuantileTasks", "LeastSquaresTasks", "LogisticTasks"])
@pytest.mark.parametrize("ambiguity", SETS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("extra", EXTRAS)
def test_hints_do_not_go_in_a_circle(name, ambiguity, extra):
    def refusal(method):
        try:
            mo.minimize_max(family(name), np.zeros(2), method=method, ambiguity=ambiguity, max_iter=1, tol=0.5, **EXTRAS[extra])
        except ValueError as error:
            return str(error)
        return None

    for method in sorted({*METHODS} - {"working-set"}):  # which names the method for all sets
        sentence = refusal(method)
        hinted = re.findall(r"method='([a-z-]+)'", sentence.split(";")[-1]) if sentence else []
        for hint in hinted:
            assert refusal(hint) is None, (sentence, refusal(hint))
