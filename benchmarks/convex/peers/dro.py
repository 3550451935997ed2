"""The `dro` library's linear models: GroupDRO for groups of rows, and its CVaR, KL and chi-square models, whose tasks are single rows.

Its models take one loss from a short list, no penalty and no domain, choose no tolerance, and state, compile and solve (cvxpy, Clarabel) in one
call of `fit`.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import Data
from benchmarks.convex.peers.base import Answer, Solve, answer

MODELS = {"least squares": "ols", "logistic": "logistic"}
ABSENT = 1e-100  # GroupDRO keeps the group's number as a feature; at this scale no coefficient makes it matter


def statable(data: Data) -> bool:
    """Whether one of its models is this problem."""
    rows = data.n_rows == data.n_tasks
    plain = data.loss in MODELS and not (data.ridge or data.l1 or data.box or data.sparse)
    return plain and (isinstance(data.ambiguity, mo.Simplex) or rows)


def dro(data: Data) -> Solve:
    models = _linear_models()
    options: dict[str, Any] = {"model_type": MODELS[data.loss], "fit_intercept": False, "solver": "CLARABEL"}
    X, n = data.A, data.n_variables
    if isinstance(data.ambiguity, mo.Simplex):
        numbers = np.repeat(np.arange(data.n_tasks), data.sizes) * ABSENT
        X = np.column_stack([data.A, numbers])
        model = models.GroupDRO(n + 1, n, **options)
    elif isinstance(data.ambiguity, mo.CVaR):
        model = models.CVaRDRO(n, alpha=data.ambiguity.tail_fraction, **options)
    elif isinstance(data.ambiguity, mo.KLBall):
        model = models.KLDRO(n, eps=data.ambiguity.radius, **options)
    else:
        model = models.Chi2DRO(n, eps=2 * data.ambiguity.radius, **options)  # its radius is on sum (K w - 1)^2 / K

    def solve(tolerance: float) -> Answer:
        del tolerance  # it has no such setting
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return answer(data, model.fit(X, data.b)["theta"])

    return solve


def _linear_models() -> Any:
    """`dro.linear_model`; where dro's other halves (trees, neural networks) lack their own dependencies, without them."""
    try:
        import dro.linear_model
    except ImportError:
        spec = importlib.util.find_spec("dro")
        if spec is None or spec.origin is None:
            raise
        package = types.ModuleType("dro")
        package.__path__, package.__spec__ = [str(Path(spec.origin).parent)], spec
        sys.modules["dro"] = package
        import dro.linear_model
    return dro.linear_model
