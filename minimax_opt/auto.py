"""The rule behind ``method="auto"``.

Keeping the max intact (a simplex QP on the K linearisations, or an interior point) needs tens of derivative evaluations where smoothing needs
thousands, so second-order methods come first wherever derivatives and memory allow them. The thresholds come from
``python -m benchmarks.convex.tune``, which prints how much slower than the fastest method each choice is; with ``--held-out`` on other problems.

1. Many more tasks than variables (K >= 2000 and K >= 100 n), where ``working-set`` does not refuse the problem: ``working-set``.
2. Losses with kinks (quantile tasks): ``interior-point``.
3. Tasks without a Jacobian, or a Jacobian of more than 1 GB: ``accelerated``.
4. A domain or a 1-norm: ``interior-point`` while Hessians are not too dear (rows * n^2 <= 1e10), else ``accelerated``.
5. W is a ball: ``interior-point`` where there are Hessians, else ``accelerated``.
6. Affine tasks: ``interior-point`` up to n^2 doubles of 1 GB, else ``accelerated``.
7. Quadratic tasks, K <= 500, whose K Hessians are cheap to form and to store (at least n rows a task, or K n^2 <= 1.5e6): ``dual-newton``; of
   others with K > 500: ``interior-point``.
8. Everything else: ``sqp``.

Where the method refuses the problem (losses that are not known to be convex, say), the first of ``sqp``, ``interior-point`` and ``accelerated``
(``descent-ascent`` for losses with kinks) that does not takes its place.

Where ``dual-newton``, ``sqp`` or ``interior-point`` stalls (Gram matrices lose the digits of uncentred columns, say), the next of ``sqp`` and
``interior-point`` that does not refuse the problem goes on from the best x; the result names the method that ended the solve.
"""

from __future__ import annotations

from minimax_opt.ambiguity import CVaR, Simplex
from minimax_opt.problem import Problem
from minimax_opt.solvers import METHODS, Solver

GRAM_FLOPS = 4e10  # forming the K Gram matrices pays up to here
GRAM_BYTES = 2e9
JACOBIAN_BYTES = 1e9
GRAM_NUMBERS = 1.5e6  # in K Gram matrices that always pay
CONFINED_FLOPS = 1e10  # with a domain or a 1-norm, where the only alternatives are first-order methods, up to here
MANY_TASKS = 500
HUGE_K, HUGE_K_PER_VARIABLE = 2000, 100  # a working set wins from here on


def choose_method(problem: Problem) -> str:
    """The name of the method that the rule picks, or of the one that takes its place."""
    for name in (_rule(problem), "sqp", "interior-point"):
        if METHODS[name]().refuses(problem) is None:
            return name
    return "accelerated" if problem.tasks.smooth else "descent-ascent"


def heirs_of(name: str, problem: Problem) -> list[Solver]:
    """The methods that go on, in turn, where the chosen one stalls."""
    if name not in ("dual-newton", "sqp", "interior-point"):
        return []
    others = [METHODS[other]() for other in ("sqp", "interior-point") if other != name]
    return [other for other in others if other.refuses(problem) is None]


def _rule(problem: Problem) -> str:
    tasks, n, n_tasks = problem.tasks, problem.n_variables, problem.n_tasks
    if n_tasks >= max(HUGE_K, HUGE_K_PER_VARIABLE * n) and METHODS["working-set"]().refuses(problem) is None:
        return "working-set"
    if not tasks.smooth:
        return "interior-point"
    if not tasks.has_jacobian or 8 * n_tasks * n > JACOBIAN_BYTES:
        return "accelerated"
    rows = tasks.n_rows if tasks.n_rows is not None else n_tasks * n
    if problem.simple is not None:
        confined = METHODS["interior-point"]().refuses(problem) is None and rows * n**2 <= CONFINED_FLOPS
        return "interior-point" if confined and 8 * n**2 <= JACOBIAN_BYTES else "accelerated"
    if not isinstance(problem.ambiguity, Simplex | CVaR):
        return "interior-point" if problem.has_hessian else "accelerated"
    if tasks.curvature == "affine":
        return "interior-point" if 8 * n**2 <= JACOBIAN_BYTES else "accelerated"
    if tasks.curvature == "quadratic":
        fit = rows * n**2 <= GRAM_FLOPS and 8 * n_tasks * n**2 <= GRAM_BYTES
        if fit and n_tasks <= MANY_TASKS and (rows >= n_tasks * n or n_tasks * n**2 <= GRAM_NUMBERS):
            return "dual-newton"
        if problem.has_hessian and n_tasks > MANY_TASKS:
            return "interior-point"
    return "sqp"
