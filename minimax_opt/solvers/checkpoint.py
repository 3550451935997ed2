"""Save a running solve and continue it later, exactly as if it had not been interrupted.

The file holds the algorithm's state, the loop's memory and the random generator, not the data: the caller passes the same problem again.
Points are stored as their x and evaluated anew. It is a pickle, so load only files that you wrote.
"""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem

VERSION = 1


def save(path: Path, problem: Problem, identity: tuple[Any, ...], content: Any) -> None:
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
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError) as error:
            raise ValueError(
                f"`checkpoint` must be a file that this version wrote, {path} cannot be read: {error}. Remove it."
            ) from error
    if (version, saved) != (VERSION, identity):
        raise ValueError(
            f"`checkpoint` must belong to the same solve, but {path} was written for {saved}, not {identity}. Remove it or name another file."
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
            kept = {name: getattr(obj, name) for name in ("_value", "_jacobian", "_gradient")}
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
