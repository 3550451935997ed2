"""From what the caller has (a list of matrices, or one matrix with group labels) to checked :class:`RowData`.

The data are copied at most once, when they are stacked: conversions of dtype and order happen on that way.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import Array, all_finite, is_dense, is_sparse
from minimax_opt.tasks.host_rows import HostRows
from minimax_opt.tasks.row_data import WIDEN_ENTRIES, RowData
from minimax_opt.tasks.torch_rows import TorchRows


def rows_from_lists(list_of_A: Any, list_of_b: Any, sample_weights: Any) -> RowData:
    """Stack one matrix and one vector a task. A contiguous (K, m, n) array counts as a list and is not copied."""
    if (isinstance(list_of_A, (np.ndarray, torch.Tensor)) or is_sparse(list_of_A)) and list_of_A.ndim == 2:
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
        if is_sparse(list_of_A):
            raise TypeError(
                f"`list_of_A` must be a list of sparse matrices, one a task, got one tensor of shape {tuple(list_of_A.shape)}."
            )
        list_of_A = _floating(list_of_A, "`list_of_A`")
    refuse_dense_beside_sparse("`list_of_A`", list_of_A)
    matrices = [matrix(a, f"`list_of_A`, task {k}") for k, a in enumerate(list_of_A)]
    columns = [int(a.shape[1]) for a in matrices]
    if odd := [k for k, n in enumerate(columns) if n != columns[0]]:
        raise ValueError(
            "all matrices of `list_of_A` must have the same number of columns, "
            f"but task 0 has {columns[0]} and task {odd[0]} has {columns[odd[0]]}."
        )
    sizes = [int(a.shape[0]) for a in matrices]
    targets = [vector(b, size, f"`list_of_b`, task {k}") for k, (b, size) in enumerate(zip(list_of_b, sizes, strict=True))]
    scale = None
    if sample_weights is not None:
        scale = stack([coefficients(s, size, k) for k, (s, size) in enumerate(zip(sample_weights, sizes, strict=True))])
    whole = stack([list_of_A.reshape(-1, columns[0])] if stacked else matrices)
    return _row_data(whole, stack(targets), sizes, scale)


def rows_from_groups(A: Any, b: Any, groups: Any, sample_weights: Any) -> tuple[RowData, list[Any]]:
    """The rows sorted by their label, and the labels in that order. Rows that are sorted already are not copied."""
    refuse_mixture("A, b and sample_weights", [A], [b], None if sample_weights is None else [sample_weights])
    A = matrix(A, "`A`")
    n_rows = int(A.shape[0])
    b = vector(b, n_rows, "`b`")
    labels = checks.any_array("`groups` must be a vector of labels", groups)
    labels = labels.cpu().numpy() if isinstance(labels, torch.Tensor) else labels
    if labels.shape != (n_rows,):
        raise ValueError(f"`groups` must give one label a row, shape ({n_rows},), got shape {labels.shape}.")
    if labels.dtype.kind not in "iubUSO":
        raise TypeError(f"`groups` must be integers or strings, got dtype {labels.dtype}; bin a continuous variable first.")
    names, ids, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sample_weights is not None:
        sample_weights = vector(sample_weights, n_rows, "`sample_weights`")
    if np.any(np.diff(ids) < 0):
        order: Any = np.argsort(ids, kind="stable")
        order = torch.as_tensor(order, device=b.device) if isinstance(b, torch.Tensor) else order
        A, b = A[order], b[order]
        sample_weights = None if sample_weights is None else sample_weights[order]
    scale = None
    if sample_weights is not None:
        stops = np.cumsum(sizes).tolist()
        parts = [sample_weights[stop - size : stop] for size, stop in zip(sizes.tolist(), stops, strict=True)]
        scale = stack([coefficients(part, len(part), name) for part, name in zip(parts, names.tolist(), strict=True)])
    return _row_data(stack([A]), b, sizes, scale), names.tolist()


def matrix(a: Any, what: str) -> Array:
    """`a` as a finite floating matrix with at least one row and one column: float32 or float64, in any order; if sparse, canonical CSR."""
    if is_sparse(a):
        a = sparse_module(a).canonical(a, what)
        _refuse_non_finite(a.data, what)
    else:
        a = _floating(a, what)
        _refuse_non_finite(a, what)
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
    """`sample_weights` of one task, divided by their sum; in float64, so that they sum to one there."""
    what = f"`sample_weights`, task {name!r}"
    s = vector(sample_weights, length, what)
    s = s.double() if isinstance(s, torch.Tensor) else s
    largest = s.max()
    if bool((s < 0).any()) or float(largest) <= 0:
        raise ValueError(
            f"{what} must be nonnegative with a positive sum, "
            f"got smallest entry {float(s.min()):g}, largest entry {float(largest):g}."
        )
    s = s / largest  # first, so that the sum cannot overflow
    return s / s.sum()


def stack(parts: Sequence[Array], widen: bool = False) -> Array:
    """One contiguous array from the tasks', end to end: the only copy, and none where one part will do as it is.

    NumPy: float64, or float32 where all parts are, :data:`WIDEN_ENTRIES` numbers are exceeded, and not `widen`.
    """
    first = parts[0]
    if not is_dense(first):
        return sparse_module(first).stack(parts)
    if isinstance(first, torch.Tensor):
        return (first if len(parts) == 1 else torch.cat(list(parts))).contiguous()
    shape = (sum(len(part) for part in parts), *first.shape[1:])
    narrow = not widen and math.prod(shape) > WIDEN_ENTRIES and all(part.dtype == np.float32 for part in parts)
    dtype = np.float32 if narrow else np.float64
    if len(parts) == 1:
        return np.ascontiguousarray(first, dtype)
    return np.concatenate(parts, out=np.empty(shape, dtype))


def refuse_dense_beside_sparse(what: str, parts: Sequence[Any]) -> None:
    """Raise where some parts are sparse and others are not."""
    sparse = sum(map(is_sparse, parts))
    if sparse not in (0, len(parts)):
        raise TypeError(
            f"{what} must be all sparse or all dense, got {sparse} sparse of {len(parts)}; convert, e.g. by `scipy.sparse.csr_array(a)`."
        )


def sparse_module(a: Any) -> Any:
    """Where the arithmetic of a sparse matrix is: a module with `canonical` and `stack`; its import waits for sparse data."""
    kind = type(a).__module__.partition(".")[0]
    return importlib.import_module("minimax_opt.tasks." + ("sparse_rows" if kind == "scipy" else "torch_sparse_rows"))


def refuse_mixture(what: str, *lists: Any) -> None:
    """Raise where NumPy and torch data, or torch data of two devices or dtypes, meet."""
    parts = [part for group in lists if group is not None for part in group]
    tensors = [part for part in parts if isinstance(part, torch.Tensor)]  # sparse ones too
    if tensors and len(tensors) < len(parts):
        raise TypeError(f"{what} must be all NumPy or all torch, got both; convert one of them, e.g. `torch.as_tensor(a)`.")
    if len({part.device for part in tensors}) > 1:
        raise ValueError(f"{what} must be on one device, got {sorted({str(part.device) for part in tensors})}.")
    dtypes = {part.dtype for part in tensors if part.dtype.is_floating_point}
    if len(dtypes) > 1:
        raise TypeError(f"{what} must have one floating dtype, got {sorted(map(str, dtypes))}; use `.double()` on all of them.")


def as_finite(a: Any, what: str) -> Array:
    """`a` as a contiguous floating array without nan and infinities: NumPy float64, torch float32 or float64."""
    a = _floating(a, what)
    _refuse_non_finite(a, what)
    if isinstance(a, torch.Tensor):
        return a.contiguous()
    return np.ascontiguousarray(a, dtype=np.float64) if a.ndim else np.asarray(a, dtype=np.float64)


def _refuse_non_finite(a: Array, what: str) -> None:
    with np.errstate(all="ignore"):
        total = a.sum()  # needs no temporary; it may overflow for finite data, so the second look decides
    if not all_finite(total) and not all_finite(a):
        raise ValueError(f"{what} must be finite, got nan or infinite entries; drop or impute those rows.")


def _length(name: str, parts: Any) -> int:
    """Number of tasks in a list, or in an array with one part a task."""
    if not isinstance(parts, (Sequence, np.ndarray, torch.Tensor)) or isinstance(parts, str) or getattr(parts, "ndim", 1) == 0:
        raise TypeError(f"`{name}` must be a list of arrays, one a task, got {type(parts).__name__}.")
    return len(parts)


def _floating(a: Any, what: str) -> Array:
    """A dense array with float32 and float64 kept, other real dtypes to float64; no copy where none is needed. torch: detached."""
    a = checks.real_array(f"{what} must be an array", a)
    if not isinstance(a, torch.Tensor):
        return a if a.dtype in (np.float32, np.float64) else a.astype(np.float64)
    if is_sparse(a):
        raise TypeError(f"{what} must be dense, got layout {a.layout}; use `.to_dense()`.")
    if a.dtype in (torch.float32, torch.float64):
        return a
    if a.dtype.is_floating_point:
        raise TypeError(f"{what} must be float32 or float64, got {a.dtype}; use `.float()`.")
    return a.double()


def _row_data(A: Array, b: Array, sizes: Any, scale: Array | None) -> RowData:
    sizes = np.asarray(sizes)
    if not isinstance(b, torch.Tensor):
        if isinstance(A, np.ndarray):
            return HostRows(A, b, sizes, scale)
        return sparse_module(A).SparseRows(A, b, sizes, scale)  # type: ignore[no-any-return]
    b = b.to(A.dtype)
    if isinstance(A, torch.Tensor):
        return TorchRows(A, b, sizes, scale)
    return sparse_module(A).TorchSparseRows(A, b, sizes, scale)  # type: ignore[no-any-return]
