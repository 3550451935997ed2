"""The front door: validate, choose the method, run, build the result."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minimax_opt import checks, validation
from minimax_opt.ambiguity import AmbiguitySet, Simplex
from minimax_opt.arrays import HOST, Array, Space, space_of
from minimax_opt.auto import choose_method, heirs_of
from minimax_opt.domains import Domain
from minimax_opt.problem import Point, Problem
from minimax_opt.regularizers import Regularizer, bind
from minimax_opt.result import MinimaxResult
from minimax_opt.solvers import METHODS, Solver
from minimax_opt.solvers.base import Target
from minimax_opt.solvers.loop import run
from minimax_opt.tasks import NumPyTasks, Tasks, TorchTasks


def minimize_max(
    fun: Tasks | Callable[..., Array],
    x0: Array | None = None,
    jac: Callable[[Array], Array] | bool | str | None = None,
    method: str = "auto",
    ambiguity: AmbiguitySet | None = None,
    domain: Domain | None = None,
    regularizer: Regularizer | None = None,
    convex: bool | None = None,
    strong_convexity: float = 0.0,
    tol: float = 1e-6,
    atol: float | None = None,
    max_iter: int | None = None,
    weights0: Array | None = None,
    seed: int = 0,
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    options: Mapping[str, Any] | None = None,
    time_limit: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> MinimaxResult:
    r"""Minimise the worst case of K losses: min_x max_{w in W} <w, f(x)> + r(x) over x in a domain.

    Parameters
    ----------
    fun : Tasks or callable
        A family of tasks (float32 data are solved in float64 arithmetic), or one function x -> f(x) of shape (K,). With a torch `x0` it is
        differentiated by autograd; with a NumPy `x0` it needs `jac`.
    x0 : array, shape (n,)
        Start, NumPy or torch, float32 or float64. Optional (zeros) where the tasks know n. The result's x is of the same kind,
        dtype and device.
    jac : callable, True or "2-point", optional
        For a NumPy `fun`: x -> the (K, n) Jacobian; True if `fun` returns (losses, Jacobian); "2-point" for finite differences.
    method : str
        "auto" (the rule in :mod:`minimax_opt.auto`), "interior-point", "dual-newton", "sqp", "accelerated", "softmax-gd",
        "mirror-prox", "descent-ascent" or "working-set".
    ambiguity : AmbiguitySet
        W: ``Simplex()`` (the worst task) by default, ``CVaR``, ``KLBall`` or ``ChiSquareBall``.
    domain : Domain, optional
        Convex set that x must stay in: ``Box`` and ``domains.Simplex`` for `interior-point` and the first-order methods, ``Ball`` and
        ``Fantope`` for the first-order methods.
    regularizer : Regularizer, optional
        ``Ridge(strength)``, ``QuadraticRegularizer(Q, c)``, ``L1(strength)`` or a sum of these, ``Ridge(0.1) + L1(0.01)``.
    convex : bool, optional
        Declares that every loss is convex, so that lower bounds are valid. Structured families know it themselves. Visited points
        that disprove the declaration end the solve with ``Status.NOT_CONVEX``.
    strong_convexity : float
        Declares every loss mu-strongly convex, mu >= 0; implies ``convex=True``.
    tol, atol : float
        Converged means gap <= max(tol * abs(fun), atol), where the gap is certified; without a certificate, `optimality` takes its
        place. `atol` is by default the rounding level of the losses at the solution (of functions: at x0), but no more than 1e-3 * abs(fun)
        unless fun itself is within it.
    max_iter : int, optional
        Iteration limit; each method has its own default.
    weights0 : array, shape (K,), optional
        Warm start of the adversary.
    seed : int
        Governs all randomness.
    callback : callable, optional
        Called as ``callback(intermediate_result=res)`` after each iteration; StopIteration stops the solve.
    progress : bool
        Lines on standard error.
    options : dict, optional
        The method's own options: the fields of its class in :mod:`minimax_opt.solvers`.
    time_limit : float, optional
        Seconds of wall-clock time, looked at between iterations.
    checkpoint : path, optional
        File that the solve is saved to, every half minute and when it ends. If it exists, the solve continues from it exactly as if it had
        not been interrupted; pass the same problem, method and options. A pickle: use only files that you wrote.

    Returns
    -------
    MinimaxResult

    Raises
    ------
    ValueError, TypeError
        For arguments that cannot be right, naming the argument, what it must be, what it got, and what to do. Not converging is no
        error but a ``status``. Ctrl-C returns the best point so far with ``Status.INTERRUPTED``.

    Examples
    --------
    The point that minimises the largest squared distance to three others:

    >>> import numpy as np, torch
    >>> import minimax_opt as mo
    >>> anchors = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    >>> res = mo.minimize_max(lambda x: ((x - anchors) ** 2).sum(1), torch.zeros(2, dtype=torch.float64), strong_convexity=2.0)
    >>> res.success, bool(res.gap <= 1e-6 * res.fun)
    (True, True)
    >>> np.round(res.x.numpy(), 3).tolist()
    [1.0, 1.0]
    """
    tasks, home, start = _tasks_and_start(fun, x0, jac)
    validation.check_scalars(tol, atol, max_iter, strong_convexity, time_limit, seed, home)
    validation.check_hooks(callback, progress, options, checkpoint)
    checks.choice("method", method, ("auto", *METHODS))
    problem, point = _problem(tasks, home, start, ambiguity, domain, regularizer, convex, strong_convexity)
    name = choose_method(problem) if method == "auto" else method
    solver = _solver(name, options)
    refusal = solver.refuses(problem)
    if refusal:
        raise ValueError(f"method={name!r} {refusal}")
    if solver.on_host and problem.space != HOST:
        problem = dataclasses.replace(problem, space=HOST, **_bound(regularizer, domain, problem.n_variables, HOST))
        point = problem.at(HOST.asarray(start))
    target = Target(float(tol), _rounding_level(tasks, point, home), True) if atol is None else Target(float(tol), float(atol))
    weights = validation.weights(weights0, problem)
    result = run(
        solver,
        problem,
        point,
        weights,
        target,
        max_iter=None if max_iter is None else int(max_iter),
        heirs=heirs_of(name, problem) if method == "auto" else (),
        time_limit=float("inf") if time_limit is None else float(time_limit),
        callback=callback,
        progress=progress,
        seed=seed,
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )
    result.x, result.losses, result.weights = (home.asarray(a) for a in (result.x, result.losses, result.weights))
    return result


def _tasks_and_start(fun: Any, x0: Array | None, jac: Any) -> tuple[Tasks, Space, Array]:
    """The tasks, the space of x0 (for the result), and x0 in the space of the tasks."""
    if isinstance(fun, Tasks):
        if jac is not None:
            raise ValueError("`jac` must be None for a family of tasks, which knows its own derivatives.")
        x0 = fun.x0() if x0 is None else x0  # of the data's own dtype
        tasks = fun.double()  # a bound proven in float32 would be worth little
    elif isinstance(fun, torch.nn.Module) or not callable(fun):
        hint = (
            "wrap a module: `mo.ModuleTasks(module, losses)`" if callable(fun) else "for a list of functions, stack them into one"
        )
        raise TypeError(
            f"`fun` must be a family of tasks or one function x -> losses of shape (K,), got {type(fun).__name__}; {hint}."
        )
    else:
        x0 = validation.start(x0, None)
        tasks = TorchTasks(fun) if isinstance(x0, torch.Tensor) else NumPyTasks(fun, jac)
        if isinstance(x0, torch.Tensor) and jac is not None:
            raise ValueError(
                "`jac` must be None for a tensor `x0`, since autograd differentiates `fun`; for a NumPy `fun` pass a NumPy `x0`."
            )
    x0 = validation.start(tasks.x0() if x0 is None else x0, tasks.n_variables)
    home = space_of(x0)
    if tasks.space is None:
        tasks = tasks.in_space(home)
    return tasks, home, (tasks.space or home).asarray(x0)


def _problem(
    tasks: Tasks,
    home: Space,
    start: Array,
    ambiguity: AmbiguitySet | None,
    domain: Domain | None,
    regularizer: Regularizer | None,
    convex: bool | None,
    strong_convexity: float,
) -> tuple[Problem, Point]:
    """The problem, and its first point, checked."""
    n, space = len(start), tasks.space or home
    validation.check_parts(ambiguity, domain, regularizer, convex, strong_convexity)
    declared = (bool(convex) and not tasks.convex) or strong_convexity > tasks.strong_convexity
    problem = Problem(
        tasks=tasks,
        n_tasks=tasks.n_tasks or 0,
        n_variables=n,
        ambiguity=Simplex() if ambiguity is None else ambiguity,
        convex=(tasks.convex and (convex is None or bool(convex))) or declared,
        declared=declared,
        space=space,
        **_bound(regularizer, domain, n, space),
    )
    if problem.convex:
        ridge = 0.0 if problem.regularizer is None else problem.regularizer.strong_convexity
        problem.strong_convexity = max(tasks.strong_convexity, float(strong_convexity)) + ridge
    start = problem.project(start)
    point = _first_point(problem, start)
    return problem, point


def _first_point(problem: Problem, start: Array) -> Point:
    """f(x0), after checks of its shape and finiteness; completes the problem with K."""
    with np.errstate(over="ignore"):  # of losses at an x0 that is too large; the check has words for it
        evaluation = problem.tasks.at(start)
    problem.n_tasks = validation.losses(evaluation.losses, problem.tasks.n_tasks, float(abs(start).max()))
    problem.ambiguity.check(problem.n_tasks)
    problem.counts.nfev += 1
    return Point(problem, start, evaluation)


def _bound(regularizer: Regularizer | None, domain: Domain | None, n_variables: int, space: Space) -> dict[str, Any]:
    """What is added to the worst case, in `space`: fields of :class:`Problem`."""
    quadratic, l1 = bind(regularizer, n_variables, space)
    return {"regularizer": quadratic, "l1": l1, "domain": None if domain is None else domain.bind(n_variables, space)}


def _solver(name: str, options: Mapping[str, Any] | None) -> Solver:
    cls = METHODS[name]
    known = [field.name for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
    for option in options or {}:
        checks.choice(f"option of method {name!r}", option, known)
    return cls(**(options or {}))


def _rounding_level(tasks: Tasks, point: Point, home: Space) -> float:
    """Below this a difference of two losses is rounding: 16 units in the last place of the largest loss at x0; 0 until it is known, for rows."""
    if tasks.n_rows is not None:
        return 0.0
    eps = max((tasks.space or home).eps, HOST.eps)
    return float(16 * eps * max(float(abs(point.losses).max()), np.finfo(float).tiny))
