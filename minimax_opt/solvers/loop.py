"""The only loop: it counts, certifies, watches for what must not be, calls back, shows progress, and stops.

Stopping. With a certificate: gap <= max(tol * |fun|, atol). Without one: optimality <= max(tol * min(|fun|, max(1, |f(x0)|)), atol), where
optimality is the norm of the prox-gradient step's residual plus the complementarity gap. The best point and the best lower bound seen so far are
what counts; both are valid at any time, so an interrupted solve returns them.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minimax_opt.arrays import Array, all_finite, copy, norm
from minimax_opt.certificate import NO_BOUND, NOT_CONVEX, Certificate, certify
from minimax_opt.problem import Point, Problem
from minimax_opt.result import MinimaxResult, Status, TraceRow
from minimax_opt.solvers import checkpoint as checkpoint_file
from minimax_opt.solvers.base import Solver, State, Target

Callback = Callable[[MinimaxResult], None]
UNBOUNDED_BELOW = 1e15  # a value this many times below the losses at x0 counts as unbounded
SAVE_EVERY = 30.0  # seconds between checkpoints
CERTIFY_EVERY = 25  # iterations between certificates when an algorithm does not ask for one


@dataclass
class Run:
    """What the loop remembers between iterations."""

    solver: Solver
    problem: Problem
    target: Target
    best: Point
    weights: Array
    certificate: Certificate
    scale: float  # the largest loss at x0, in absolute value
    judged: tuple[Any, Any] = (None, None)
    optimality: float = float("inf")
    nit: int = 0
    started: float = field(default_factory=time.perf_counter)
    trace: list[TraceRow] = field(default_factory=list)
    planes: list[tuple[Array, float, Array, Array]] = field(default_factory=list)

    @property
    def gap(self) -> float:
        """Best value minus best lower bound; nan without a bound."""
        return self.best.value - self.certificate.lower_bound

    def observe(self, state: State) -> Status | None:
        """Take in one iterate; the status if the solve is over."""
        point = state.point
        if not point.finite:
            return Status.NON_FINITE
        if point.value < -UNBOUNDED_BELOW * max(self.scale, 1.0):
            return Status.UNBOUNDED
        if not self.best.finite or point.value < self.best.value:
            self.best = point
            if not self.problem.convex:
                self.weights = state.weights
        if self.problem.declared and self._contradicted(point):
            return Status.NOT_CONVEX
        if state.status is Status.UNBOUNDED:  # before any test relative to |fun|, which runs away
            return state.status
        due = not self.solver.certifies_itself and self.nit % CERTIFY_EVERY == 0
        if state.certify or state.status is not None or due:
            self.certify(point, state.weights)
        if self.problem.declared and self.certificate.lower_bound > self.best.value + self._rounding(self.best):
            return Status.NOT_CONVEX
        finished = self._finished()
        return state.status if finished is None else finished  # CONVERGED is 0, hence falsy

    def certify(self, point: Point, weights: Array) -> None:
        """Certify one pair, and keep what is better than before."""
        if self.judged[0] is point and self.judged[1] is weights:
            return
        self.judged = (point, weights)
        wanted = self.best.value - self.target.gap(self.best.value)
        if self.problem.convex:
            certificate = certify(point, weights, wanted)
            if certificate.kind != "none" and not certificate.lower_bound <= self.certificate.lower_bound:
                self.certificate, self.weights = certificate, weights
        if self.problem.declared:
            self._remember_plane(point, weights)
        if self.certificate.kind == "none":
            optimality = point.optimality(weights)
            if optimality < self.optimality:
                self.optimality, self.weights = optimality, weights
                if point.value <= self.best.value + self.target.gap(self.best.value):
                    self.best = point

    def _finished(self) -> Status | None:
        if self.certificate.kind != "none":
            return Status.CONVERGED if self.gap <= self.target.gap(self.best.value) else None
        size = min(abs(self.best.value), max(self.scale, 1.0))  # a value that runs off to -inf must not loosen its own test
        return Status.CONVERGED if self.optimality <= self.target.gap(size) else None

    def _remember_plane(self, point: Point, weights: Array) -> None:
        gradient = point.gradient(weights)
        if all_finite(gradient):
            self.planes = [*self.planes[-7:], (weights, point.weighted_value(weights), gradient, point.x)]

    def _contradicted(self, point: Point) -> bool:
        """Whether F_w(y) < F_w(x) + <grad F_w(x), y - x> for a remembered x and this y, by more than rounding."""
        for weights, value, gradient, x in self.planes:
            step = point.x - x
            slope = float(gradient @ step)
            if point.weighted_value(weights) < value + slope - self._rounding(point) - 1e-10 * norm(gradient) * norm(step):
                return True
        return False

    def _rounding(self, point: Point) -> float:
        return 64 * self.problem.space.eps * (1e-300 + float(abs(point.losses).max()) + abs(point.penalty))

    def row(self, value: float) -> TraceRow:
        """The trace's row for this iteration."""
        counts = self.problem.counts
        bound, seconds = self.certificate.lower_bound, time.perf_counter() - self.started
        return TraceRow(self.nit, value, self.best.value, bound, counts.nfev, counts.njev, counts.nhev, seconds)

    def result(self, status: Status) -> MinimaxResult:
        """The result as it stands."""
        counts, best = self.problem.counts, self.best
        return MinimaxResult(
            x=copy(best.x),
            fun=best.value,
            losses=copy(best.losses),
            weights=copy(self.weights),
            lower_bound=float(np.minimum(self.certificate.lower_bound, best.value)),  # above only by rounding; nan stays nan
            certificate=self.certificate,
            optimality=self.optimality,
            status=status,
            method=self.solver.name,
            nit=self.nit,
            nfev=counts.nfev,
            njev=counts.njev,
            nhev=counts.nhev,
            seconds=time.perf_counter() - self.started,
            success=status == Status.CONVERGED,
            message=str(status),
            trace=self.trace,
        )


def run(
    solver: Solver,
    problem: Problem,
    point0: Point,
    weights0: Array | None,
    target: Target,
    *,
    max_iter: int,
    time_limit: float = float("inf"),
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> MinimaxResult:
    """Run `solver` on `problem` from `point0`; see :func:`minimax_opt.minimize_max` for the arguments and the result."""
    keeper = Keeper(checkpoint, problem, (solver.name, repr(solver), problem.n_tasks, problem.n_variables, seed))
    memory, state = keeper.resume() or _begin(solver, problem, point0, weights0, target, seed)
    solver = memory.solver  # with what it keeps between steps
    try:
        status = memory.observe(state) if memory.nit == 0 else memory._finished()
        while status is None:
            status = _limits(memory, max_iter, time_limit)
            if status is None:
                with keeper.whole_step():
                    state = solver.step(problem, state)
                    memory.nit += 1
                    status = memory.observe(state)
                    memory.trace.append(memory.row(state.point.value))
                keeper.save(memory, state)
                _report(memory, callback, progress)
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    except StopIteration:
        status = Status.STOPPED
    keeper.save(memory, state, now=True)
    return _closing(memory, state, status)


def _begin(
    solver: Solver, problem: Problem, point0: Point, weights0: Array | None, target: Target, seed: int
) -> tuple[Run, State]:
    state = solver.init(problem, point0, weights0, target, np.random.default_rng(seed))
    unproven = NO_BOUND if problem.convex else NOT_CONVEX
    memory = Run(solver, problem, target, state.point, state.weights, unproven, float(abs(point0.losses).max()))
    memory.trace.append(memory.row(state.point.value))
    return memory, state


@dataclass
class Keeper:
    """Saves the solve to a file now and then, and finds it there again; does nothing without a path."""

    path: Path | None
    problem: Problem
    identity: tuple[Any, ...]
    saved: float = field(default_factory=time.perf_counter)

    def resume(self) -> tuple[Run, State] | None:
        """The saved loop memory and state, if there is a file."""
        if self.path is None or not self.path.exists():
            return None
        memory, state, counts, elapsed = checkpoint_file.load(self.path, self.problem, self.identity)
        vars(self.problem.counts).update(vars(counts))
        memory.started = time.perf_counter() - elapsed
        return memory, state

    @contextmanager
    def whole_step(self) -> Iterator[None]:
        """With a file to save to, Ctrl-C waits for the end of the step, so that what is saved is whole; a second one does not wait."""
        if self.path is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        pressed: list[int] = []

        def note(number: int, frame: Any) -> None:
            if pressed:
                raise KeyboardInterrupt
            pressed.append(number)

        previous = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
        if pressed:
            raise KeyboardInterrupt

    def save(self, memory: Run, state: State, now: bool = False) -> None:
        """Write the file if it is time."""
        if self.path is not None and (now or time.perf_counter() - self.saved > SAVE_EVERY):
            content = (memory, state, self.problem.counts, time.perf_counter() - memory.started)
            checkpoint_file.save(self.path, self.problem, self.identity, content)
            self.saved = time.perf_counter()


def _closing(memory: Run, state: State, status: Status) -> MinimaxResult:
    """Certify the last iterate, and the best point, if the solve ended before they were."""
    if memory.best.finite and status not in (Status.CONVERGED, Status.INTERRUPTED, Status.NOT_CONVEX, Status.UNBOUNDED):
        if state.point.finite:
            memory.certify(state.point, state.weights)
        memory.certify(memory.best, memory.weights)
        if memory._finished() is not None and status is not Status.STOPPED:
            status = Status.CONVERGED
    if status in (Status.NOT_CONVEX, Status.UNBOUNDED):
        reason = (
            "convexity was declared, but a visited point disproves it"
            if status == Status.NOT_CONVEX
            else "the losses are unbounded"
        )
        memory.certificate = Certificate(
            float("nan") if status == Status.NOT_CONVEX else -float("inf"), "none", f"none: {reason}"
        )
    elif memory.best.finite and status != Status.INTERRUPTED:
        memory.optimality = memory.best.optimality(memory.weights)
    return memory.result(status)


def _limits(memory: Run, max_iter: int, time_limit: float) -> Status | None:
    if memory.nit >= max_iter:
        return Status.MAX_ITER
    return Status.TIME_LIMIT if time.perf_counter() - memory.started > time_limit else None


def _report(memory: Run, callback: Callable[..., Any] | None, progress: bool) -> None:
    if callback is not None:
        callback(intermediate_result=memory.result(Status.STOPPED))
    if progress and (memory.nit < 10 or memory.nit % 10 == 0):
        gap = "  no certificate" if memory.certificate.kind == "none" else f"  gap {memory.gap:.3e}"
        seconds = time.perf_counter() - memory.started
        print(f"{memory.solver.name} {memory.nit:6d}  value {memory.best.value:.9g}{gap}  {seconds:.1f} s", file=sys.stderr)
