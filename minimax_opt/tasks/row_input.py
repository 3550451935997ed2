"""From what the caller has (a list of matrices, or one matrix with group labels) to checked :class:`RowData`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import Array, all_finite
from minimax_opt.tasks.host_rows import HostRows
from minimax_opt.tasks.row_data import RowData
from minimax_opt.tasks.torch_rows import TorchRows


def rows_from_lists(list_of_A: Any, list_of_b: Any, sample_weights: Any) -> RowData:
    """Stack one matrix and one vector a task. A contiguous (K, m, n) array counts as a list and is not copied."""
    if isinstance(list_of_A, (np.ndarray, torch.Tensor)) and list_of_A.ndim == 2:
        raise ValueError(
            f"`list_of_A` must hold one matrix a task, got a single matrix of shape {tuple(list_of_A.shape)}; "
            "use `from_groups(A, b, groups)` for one stacked matrix, or `[A], [b]` for one task."
        )
    n_tasks = _length("list_of_A", list_of_A)
    if n_tasks == 0:
        raise ValueError("`list_of_A` must hold at least one task, got an empty list.")
    for name, other in (("list_of_b", list_of_b), ("sample_weights", sample_weights)):
        if name == "sample_weights" and other is None:
            continue
        if (length := _length(name, other)) != n_tasks:
            raise ValueError(f"`{name}` must have one vector a task: expected {n_tasks}, got {length}.")
    refuse_mixture("list_of_A, list_of_b and sample_weights", list_of_A, list_of_b, sample_weights)
    stacked = isinstance(list_of_A, (np.ndarray, torch.Tensor)) and list_of_A.ndim == 3
    if stacked:
        list_of_A = _floating(list_of_A, "`list_of_A`")
    matrices = [matrix(a, f"`list_of_A`, task {k}") for k, a in enumerate(list_of_A)]
    columns = [int(a.shape[1]) for a in matrices]
    if odd := [k for k, n in enumerate(columns) if n != columns[0]]:
        raise ValueError(
            "all matrices of `list_of_A` must have the same number of columns, "
            f"but task 0 has {columns[0]} and task {odd[0]} has {columns[odd[0]]}."
        )
    sizes = [len(a) for a in matrices]
    targets = [vector(b, size, f"`list_of_b`, task {k}") for k, (b, size) in enumerate(zip(list_of_b, sizes, strict=True))]
    scale = None
    if sample_weights is not None:
        scale = stack([coefficients(s, size, k) for k, (s, size) in enumerate(zip(sample_weights, sizes, strict=True))])
    return _row_data(list_of_A.reshape(-1, columns[0]) if stacked else stack(matrices), stack(targets), sizes, scale)


def rows_from_groups(A: Any, b: Any, groups: Any, sample_weights: Any) -> tuple[RowData, list[Any]]:
    """The rows sorted by their label, and the labels in that order. Rows that are sorted already are not copied."""
    refuse_mixture("A, b and sample_weights", [A], [b], None if sample_weights is None else [sample_weights])
    A = matrix(A, "`A`")
    b = vector(b, len(A), "`b`")
    labels = checks.any_array("`groups` must be a vector of labels", groups)
    labels = labels.cpu().numpy() if isinstance(labels, torch.Tensor) else labels
    if labels.shape != (len(A),):
        raise ValueError(f"`groups` must give one label a row, shape ({len(A)},), got shape {labels.shape}.")
    if labels.dtype.kind not in "iubUSO":
        raise TypeError(f"`groups` must be integers or strings, got dtype {labels.dtype}; bin a continuous variable first.")
    names, ids, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sample_weights is not None:
        sample_weights = vector(sample_weights, len(A), "`sample_weights`")
    if np.any(np.diff(ids) < 0):
        order: Any = np.argsort(ids, kind="stable")
        order = torch.as_tensor(order, device=A.device) if isinstance(A, torch.Tensor) else order
        A, b = A[order], b[order]
        sample_weights = None if sample_weights is None else sample_weights[order]
    scale = None
    if sample_weights is not None:
        stops = np.cumsum(sizes).tolist()
        parts = [sample_weights[stop - size : stop] for size, stop in zip(sizes.tolist(), stops, strict=True)]
        scale = stack([coefficients(part, len(part), name) for part, name in zip(parts, names.tolist(), strict=True)])
    return _row_data(A, b, sizes, scale), names.tolist()


def matrix(a: Any, what: str) -> Array:
    """`a` as a finite, contiguous, floating 2-D array with at least one row and one column."""
    a = as_finite(a, what)
    if a.ndim != 2:
        hint = "; a single row is `a[None, :]`, a single column `a[:, None]`" if a.ndim == 1 else ""
        raise ValueError(f"{what} must be a matrix (2-D), got shape {tuple(a.shape)}{hint}.")
    if 0 in a.shape:
        raise ValueError(f"{what} must have at least one row and one column, got shape {tuple(a.shape)}; drop empty tasks.")
    return a


def vector(b: Any, length: int, what: str) -> Array:
    """`b` as a finite, contiguous, floating vector of the given length."""
    b = as_finite(b, what)
    if tuple(b.shape) != (length,):
        raise ValueError(f"{what} must have shape ({length},), one entry a row, got shape {tuple(b.shape)}.")
    return b


def coefficients(sample_weights: Any, length: int, name: Any) -> Array:
    """`sample_weights` of one task, divided by their sum."""
    what = f"`sample_weights`, task {name!r}"
    s = vector(sample_weights, length, what)
    largest = s.max()
    if bool((s < 0).any()) or float(largest) <= 0:
        raise ValueError(
            f"{what} must be nonnegative with a positive sum, "
            f"got smallest entry {float(s.min()):g}, largest entry {float(largest):g}."
        )
    s = s / largest  # first, so that the sum cannot overflow
    return s / s.sum()


def stack(parts: Sequence[Array]) -> Array:
    """One array from the tasks', end to end; not a copy where there is only one."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat(list(parts)) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts)


def refuse_mixture(what: str, *lists: Any) -> None:
    """Raise where NumPy and torch data, or torch data of two devices or dtypes, meet."""
    parts = [part for group in lists if group is not None for part in group]
    tensors = [part for part in parts if isinstance(part, torch.Tensor)]
    if tensors and len(tensors) < len(parts):
        raise TypeError(f"{what} must be all NumPy or all torch, got both; convert one of them, e.g. `torch.as_tensor(a)`.")
    if len({part.device for part in tensors}) > 1:
        raise ValueError(f"{what} must be on one device, got {sorted({str(part.device) for part in tensors})}.")
    dtypes = {part.dtype for part in tensors if part.dtype.is_floating_point}
    if len(dtypes) > 1:
        raise TypeError(f"{what} must have one floating dtype, got {sorted(map(str, dtypes))}; use `.double()` on all of them.")


def as_finite(a: Any, what: str) -> Array:
    """`a` as a contiguous floating array without nan and infinities."""
    a = _floating(a, what)
    with np.errstate(all="ignore"):
        total = a.sum()  # needs no temporary; it may overflow for finite data, so the second look decides
    if not all_finite(total) and not all_finite(a):
        raise ValueError(f"{what} must be finite, got nan or infinite entries; drop or impute those rows.")
    return a


def _length(name: str, parts: Any) -> int:
    """Number of tasks in a list, or in an array with one part a task."""
    if not isinstance(parts, (Sequence, np.ndarray, torch.Tensor)) or isinstance(parts, str) or getattr(parts, "ndim", 1) == 0:
        raise TypeError(f"`{name}` must be a list of arrays, one a task, got {type(parts).__name__}.")
    return len(parts)


def _floating(a: Any, what: str) -> Array:
    """NumPy: float64, C order. torch: detached and contiguous, float32 or float64 kept, integers to float64."""
    a = checks.real_array(f"{what} must be an array", a)
    if isinstance(a, torch.Tensor):
        a = a.contiguous()
        if a.dtype in (torch.float32, torch.float64):
            return a
        if a.dtype.is_floating_point:
            raise TypeError(f"{what} must be float32 or float64, got {a.dtype}; use `.float()`.")
        return a.double()
    return np.ascontiguousarray(a, dtype=np.float64) if a.ndim else np.asarray(a, dtype=np.float64)


def _row_data(A: Array, b: Array, sizes: Any, scale: Array | None) -> RowData:
    if isinstance(A, torch.Tensor):
        return TorchRows(A, b.to(A.dtype), np.asarray(sizes), None if scale is None else scale.to(A.dtype))
    return HostRows(A, b, np.asarray(sizes), scale)
