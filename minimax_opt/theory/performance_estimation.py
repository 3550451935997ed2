"""Exact worst cases of gradient steps and of the accelerated method over all smooth convex functions, by semidefinite programming.

With M = 1 and R = 1 the worst F(x_T) - F* over all 1-smooth convex F in any dimension, and all starts at distance 1 from a minimiser, is the
value of a semidefinite programme whose unknowns are the Gram matrix of iterates and gradients, and the function values (Drori and Teboulle
2014; Taylor, Hendrickx and Glineur 2017). The package PEPit writes it and cvxpy solves it.
"""

from __future__ import annotations

import importlib
from typing import Any

from minimax_opt import checks
from minimax_opt.theory.accelerated import momentum
from minimax_opt.theory.checked import count, plain


def gradient_descent_exact(horizon: Any) -> Any:
    """(A4') 1/(4T+2), the worst case of T gradient steps of length 1/M in units of M R^2: A4's smooth part 1/(2T) is 2 + 1/T times that.

    Parameters
    ----------
    horizon : int or array
        T >= 1.

    Returns
    -------
    float or array

    References
    ----------
    Drori and Teboulle, "Performance of first-order methods for smooth convex minimization: a novel approach", Math. Programming 145 (2014).

    Examples
    --------
    >>> gradient_descent_exact(2)
    0.1
    """
    return plain(1.0 / (4.0 * count("horizon", horizon) + 2.0))


def gradient_descent_worst_case(horizon: int) -> float:
    """The worst case of T gradient steps of length 1/M in units of M R^2, computed.

    Parameters
    ----------
    horizon : int
        T >= 1.

    Returns
    -------
    float
        To about 1e-7.

    Raises
    ------
    ImportError
        Without PEPit: ``pip install pepit``.
    """
    problem, function, x, best = _problem(horizon)
    for _ in range(horizon):
        x = x - function.gradient(x)
    return _solve(problem, function, x, best)


def accelerated_worst_case(horizon: int) -> float:
    """The worst case of T steps of :class:`minimax_opt.solvers.Accelerated` (fixed M, no restart) in units of M R^2, computed.

    Parameters
    ----------
    horizon : int
        T >= 1.

    Returns
    -------
    float
        To about 1e-7.

    Raises
    ------
    ImportError
        Without PEPit: ``pip install pepit``.
    """
    problem, function, x, best = _problem(horizon)
    z = x
    for k in range(1, horizon + 1):
        t = float(momentum(k))
        y = (1 - 1 / t) * x + (1 / t) * z
        z = z - t * function.gradient(y)
        x = (1 - 1 / t) * x + (1 / t) * z
    return _solve(problem, function, x, best)


def _problem(horizon: int) -> tuple[Any, Any, Any, Any]:
    """A 1-smooth convex function, a start at distance at most 1 from its minimiser, and that minimiser."""
    checks.integer("horizon", horizon, 1)
    try:
        pep: Any = importlib.import_module("PEPit")
        functions: Any = importlib.import_module("PEPit.functions")
    except ImportError as error:
        raise ImportError("exact worst cases need PEPit and cvxpy: pip install pepit cvxpy") from error
    problem = pep.PEP()
    function = problem.declare_function(functions.SmoothConvexFunction, L=1.0)
    best = function.stationary_point()
    x = problem.set_initial_point()
    problem.set_initial_condition((x - best) ** 2 <= 1)
    return problem, function, x, best


def _solve(problem: Any, function: Any, x: Any, best: Any) -> float:
    problem.set_performance_metric(function(x) - function(best))
    return float(problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0))


__all__ = ["accelerated_worst_case", "gradient_descent_exact", "gradient_descent_worst_case"]
