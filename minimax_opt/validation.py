"""The arguments of :func:`minimax_opt.minimize_max`, checked before the first evaluation; single values by :mod:`minimax_opt.checks`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minimax_opt.ambiguity import AmbiguitySet
from minimax_opt.arrays import Array, Space, all_finite, to_host
from minimax_opt.checks import boolean, integer, keyword, number, real_array, vector
from minimax_opt.domains import Domain
from minimax_opt.problem import Problem
from minimax_opt.regularizers import Regularizer

LARGEST = 1e75  # whose fourth power is finite


def start(x0: Any, n_variables: int | None) -> Array:
    """`x0` as a finite floating vector of length n."""
    if x0 is None:
        raise ValueError("`x0` must be given: these tasks do not know how many variables x has.")
    x0 = real_array("`x0` must be a vector", x0)
    if not isinstance(x0, torch.Tensor):
        if x0.dtype not in (np.float32, np.float64):
            x0 = x0.astype(np.float64)
    elif not x0.dtype.is_floating_point:
        raise TypeError(f"`x0` must be a floating-point tensor, got {x0.dtype}; use `x0.double()`.")
    if x0.ndim != 1 or len(x0) == 0:
        raise ValueError(f"`x0` must be a vector of shape (n,) with n >= 1, got shape {tuple(x0.shape)}; flatten it first.")
    if n_variables is not None and len(x0) != n_variables:
        raise ValueError(f"`x0` must have shape ({n_variables},) to fit the tasks, got shape {tuple(x0.shape)}.")
    if not all_finite(x0):
        raise ValueError("`x0` must be finite, got nan or infinite entries.")
    return x0


def losses(values: Array, n_tasks: int | None, size: float = 0.0) -> int:
    """K, after checking f(x0); `size` is max_i |x0_i|."""
    if not isinstance(values, (np.ndarray, torch.Tensor)) or values.ndim != 1:
        shape = tuple(np.shape(values)) if not isinstance(values, torch.Tensor) else tuple(values.shape)
        raise ValueError(f"`fun` must return one vector of K losses, shape (K,), got {type(values).__name__} of shape {shape}.")
    if len(values) == 0:
        raise ValueError("`fun` must return at least one loss, got K = 0.")
    if n_tasks is not None and len(values) != n_tasks:
        raise ValueError(f"`fun` must return {n_tasks} losses, got {len(values)}.")
    if not all_finite(values):
        bad = int(np.flatnonzero(~np.isfinite(to_host(values)))[0])
        raise ValueError(
            f"`fun` must be finite at `x0`, but the loss of task {bad} is {to_host(values)[bad]}; choose another `x0`."
        )
    largest = float(np.abs(to_host(values)).max())
    if max(size, largest) > LARGEST:
        raise ValueError(
            f"`x0` and the losses there must be below {LARGEST:g} in absolute value, so that products of them are finite; got entries up to "
            f"{size:.2g} and losses up to {largest:.2g}. Choose another `x0`, or other units."
        )
    return len(values)


def check_scalars(tol: Any, atol: Any, max_iter: Any, strong_convexity: Any, time_limit: Any, seed: Any, space: Space) -> None:
    """Check the numbers of :func:`minimax_opt.minimize_max`."""
    integer("seed", seed, 0)
    if number("tol", tol, 0.0) < 4 * space.eps and float(tol) != 0.0:
        raise ValueError(
            f"`tol` must be at least {4 * space.eps:.2g}, four units of rounding of {space.dtype}, got {tol!r}; "
            "pass tol=0 and an `atol` for an absolute test, or float64 input."
        )
    if atol is not None:
        number("atol", atol, 0.0)
    if max_iter is not None:
        integer("max_iter", max_iter, 0)
    number("strong_convexity", strong_convexity, 0.0)
    if time_limit is not None:
        number("time_limit", time_limit, 0.0, strict=True)


def check_hooks(callback: Any, progress: Any, options: Any, checkpoint: Any) -> None:
    """Check what goes along with the solve."""
    if callback is not None:
        keyword("callback", callback, "intermediate_result")
    boolean("progress", progress)
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"`options` must be a dict of the method's options, got {options!r}.")
    if checkpoint is not None:
        _check_checkpoint(checkpoint)


def _check_checkpoint(checkpoint: Any) -> None:
    """`checkpoint` names a file that can be read if it is there, in a folder that can be written to."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        raise TypeError(f"`checkpoint` must be the path of a file, got {checkpoint!r}.")
    path = Path(checkpoint)
    if path.is_dir():
        raise ValueError(f"`checkpoint` must be a file, got the folder {str(path)!r}; add a file name.")
    if not path.parent.is_dir():
        raise ValueError(f"`checkpoint` must lie in a folder that exists, got {str(path)!r}; create {str(path.parent)!r} first.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"`checkpoint` must lie in a folder that you may write to, got {str(path)!r}; choose another one.")
    if path.exists() and not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError(f"`checkpoint` must be a file that you may read, got {str(path)!r}; choose another one.")


def check_parts(ambiguity: Any, domain: Any, regularizer: Any, convex: Any, strong_convexity: float) -> None:
    """Check the objects of :func:`minimax_opt.minimize_max`."""
    for name, value, kind, example in (
        ("ambiguity", ambiguity, AmbiguitySet, "mo.Simplex()"),
        ("domain", domain, Domain, "mo.Box(-1, 1)"),
        ("regularizer", regularizer, Regularizer, "mo.Ridge(0.1)"),
    ):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"`{name}` must be of class {kind.__name__}, e.g. {example}, got {value!r}.")
    if not (convex is None or isinstance(convex, (bool, np.bool_))):
        raise TypeError(f"`convex` must be True, False or None, got {convex!r}.")
    if convex is not None and not convex and strong_convexity > 0:
        raise ValueError("`convex=False` contradicts `strong_convexity` > 0.")


def weights(weights0: Any, problem: Problem) -> Array | None:
    """`weights0` in the problem's space, checked to lie in the simplex."""
    if weights0 is None:
        return None
    host = vector("weights0", weights0, problem.n_tasks)
    if np.any(host < 0) or not np.isclose(host.sum(), 1.0, rtol=1e-4):
        raise ValueError("`weights0` must be nonnegative and sum to 1.")
    return problem.space.asarray(host / host.sum())


__all__ = ["check_hooks", "check_parts", "check_scalars", "integer", "losses", "number", "start", "weights"]
