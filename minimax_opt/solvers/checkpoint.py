"""Save a running solve and continue it later, exactly as if it had not been interrupted.

The file holds the algorithm's state, the loop's memory and the random generator, not the data: the caller passes the same problem again, and a
fingerprint tells whether it is the same. Points are stored as their x and evaluated anew. It is a pickle, so load only files that you wrote.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minimax_opt.arrays import Array, to_host
from minimax_opt.problem import Point, Problem

VERSION = 3
SAVE_EVERY = 30.0  # seconds


@dataclass
class Keeper:
    """Saves the solve to a file now and then, and finds it there again; does nothing without a path.

    Attributes
    ----------
    path : Path or None
    problem : Problem
    settings : tuple
        Method, options, tolerances and seed.
    point0 : Point
        x0, evaluated.
    """

    path: Path | None
    problem: Problem
    settings: tuple[Any, ...]
    point0: Point
    saved: float = field(default_factory=time.perf_counter)

    def resume(self) -> tuple[Any, Any] | None:
        """The saved loop memory and state, if there is a file."""
        if self.path is None:
            return None
        self.identity = (repr(self.settings), fingerprint(self.point0))
        if not self.path.exists():
            return None
        memory, state, counts, elapsed = load(self.path, self.problem, self.identity)
        vars(self.problem.counts).update(vars(counts))
        memory.started = time.perf_counter() - elapsed
        return memory, state

    def save(self, memory: Any, state: Any, now: bool = False) -> None:
        """Write the file if it is time."""
        if self.path is not None and (now or time.perf_counter() - self.saved > SAVE_EVERY):
            content = (memory, state, self.problem.counts, time.perf_counter() - memory.started)
            write(self.path, self.problem, self.identity, content)
            self.saved = time.perf_counter()

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


def fingerprint(point: Point) -> str:
    """A digest of the problem: x0, losses and a gradient there, the set, what is declared, and what domain and regulariser do to a vector."""
    problem = point.problem
    probe = problem.space.asarray(np.linspace(-1.0, 2.0, problem.n_variables))
    prior = problem.space.asarray(problem.ambiguity.prior_weights(problem.n_tasks))
    parts = [point.x, point.losses, point.inner.gradient(prior)]
    if problem.domain is not None:
        parts.append(problem.project(1e3 * probe))
    if problem.regularizer is not None:
        parts.append(problem.regularizer.gradient(probe))
    if problem.l1 is not None:
        parts.append(problem.l1)
    declared = (problem.ambiguity, problem.convex, problem.declared, problem.strong_convexity, problem.space, len(parts))
    digest = hashlib.sha256(repr(declared).encode())
    for part in parts:
        digest.update(to_host(part).tobytes())
    return digest.hexdigest()


def write(path: Path, problem: Problem, identity: tuple[Any, ...], content: Any) -> None:
    """Write `content` to `path` in one step: the old file stays whole until the new one is."""
    buffer = io.BytesIO()
    _Pickler(buffer, problem).dump((VERSION, identity, content))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load(path: Path, problem: Problem, identity: tuple[Any, ...]) -> Any:
    """The content saved at `path`, attached to `problem`; ValueError if it is of another solve."""
    with path.open("rb") as file:
        try:
            version, saved, content = _Unpickler(file, problem).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, ValueError, TypeError) as error:
            raise ValueError(
                f"`checkpoint` must be a file that this version wrote, {path} cannot be read: {error}. Remove it."
            ) from error
    if (version, saved) != (VERSION, identity):
        raise ValueError(
            f"`checkpoint` must belong to the same solve, but {path} was written for another problem, start, method, option, tolerance "
            "or seed. Remove it or name another file."
        )
    return content


class _Pickler(pickle.Pickler):
    """Replaces the problem and its tasks by names, and points by their x."""

    def __init__(self, file: io.BytesIO, problem: Problem) -> None:
        super().__init__(file, protocol=5)
        self._problem = problem

    def persistent_id(self, obj: Any) -> str | None:
        if obj is self._problem:
            return "problem"
        return "tasks" if obj is self._problem.tasks else None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Point):
            kept = {name: vars(obj)[name] for name in ("value", "_jacobian", "_gradient") if name in vars(obj)}
            return _evaluate, (obj.problem, obj.x), kept
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, problem: Problem) -> None:
        super().__init__(file)
        self._problem = problem

    def persistent_load(self, pid: str) -> Any:
        return {"problem": self._problem, "tasks": self._problem.tasks}[pid]


def _evaluate(problem: Problem, x: Array) -> Point:
    return problem.at(x)
