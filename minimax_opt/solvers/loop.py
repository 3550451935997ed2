"""The only loop: it counts, certifies, watches for what must not be, calls back, shows progress, and stops.

Stopping. With a certificate: gap <= max(tol * |fun|, atol). Without one: optimality <= max(tol * min(|fun|, max(1, |f(x0)|)), atol),
where optimality is the norm of the prox-gradient step's residual plus the complementarity gap, and the residual has fallen to 1e-3 of
that at x0. The best point and the best lower bound seen so far are what counts; both are valid at any time, so
that an interrupted solve returns them. A method that stalls hands over to its heir, if it has one, which goes on from the best point.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem
from minimax_opt.result import MinimaxResult, Status
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.solvers.checkpoint import Keeper
from minimax_opt.solvers.memory import Memory


def run(
    solver: Solver,
    problem: Problem,
    point0: Point,
    weights0: Array | None,
    target: Target,
    *,
    max_iter: int | None = None,
    heirs: Sequence[Solver] = (),
    time_limit: float = float("inf"),
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> MinimaxResult:
    """Run `solver` on `problem` from `point0`; see :func:`minimax_opt.minimize_max` for the arguments and the result.

    `heirs` take over in turn where the method before them has stalled; without `max_iter` each has its own.
    """
    keeper = Keeper(checkpoint, problem, (solver.name, repr(solver), target, seed), point0)
    prior = problem.space.asarray(problem.ambiguity.prior_weights(problem.n_tasks))
    memory, state = keeper.resume() or (Memory(solver, problem, target, point0, prior), State(point0, prior))
    try:
        if memory.nit == 0:
            state = solver.init(problem, point0, weights0, target, seed)
            memory.weights = state.weights
            status = memory.observe(state)
            memory.record(state.point.value)
        else:
            status = memory.finished()
        while status is None:
            status = _limit(memory, max_iter, time_limit)
            if status is None:
                with keeper.whole_step():
                    state = memory.solver.step(problem, state)
                    memory.nit += 1
                    status = memory.observe(state)
                    memory.record(state.point.value)
                keeper.save(memory, state)
                stopped = _report(memory, callback, progress)
                status = stopped if status is None else status
            heir = _heir(memory, heirs) if status is Status.STALLED else None
            if heir is not None:
                memory.solver, memory.began = heir, memory.nit
                state = heir.init(problem, memory.best, None, target, seed)
                status = memory.observe(state)
        keeper.save(memory, state, now=True)
        state = memory.solver.finish(problem, state)
        if state.point.finite and state.point.value < memory.best.value:
            memory.best = state.point
        status = memory.close(state, status)
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
        if memory.nit > 0:
            keeper.save(memory, state, now=True)
    return memory.result(status)


def _heir(memory: Memory, heirs: Sequence[Solver]) -> Solver | None:
    """Who follows the method that has stalled; nobody where the best point turns out to be certified."""
    memory.certify(memory.best, memory.weights)
    names = [heir.name for heir in heirs]
    following = heirs[names.index(memory.solver.name) + 1 :] if memory.solver.name in names else heirs
    return following[0] if following and memory.finished() is None else None


def _limit(memory: Memory, max_iter: int | None, time_limit: float) -> Status | None:
    if memory.nit >= (memory.began + memory.solver.max_iter if max_iter is None else max_iter):
        return Status.MAX_ITER
    return Status.TIME_LIMIT if time.perf_counter() - memory.started > time_limit else None


def _report(memory: Memory, callback: Callable[..., Any] | None, progress: bool) -> Status | None:
    """Call back, print; STOPPED if the callback asks for it."""
    if progress and (memory.nit < 10 or memory.nit % 10 == 0):
        gap = "  no certificate" if memory.certificate.kind == "none" else f"  gap {memory.gap:.3e}"
        seconds = time.perf_counter() - memory.started
        print(f"{memory.solver.name} {memory.nit:6d}  value {memory.best.value:.9g}{gap}  {seconds:.1f} s", file=sys.stderr)
    if callback is not None:
        try:
            callback(intermediate_result=memory.result(Status.RUNNING))
        except StopIteration:
            return Status.STOPPED
    return None
