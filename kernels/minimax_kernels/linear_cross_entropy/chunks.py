"""The matmuls of a linear layer under a cross entropy, over chunks of rows: the logits never exist all at once.

With G the derivative of each row's loss with respect to its logits (rows.py) and r the weights of the rows, sum_i r_i loss_i has

    d hidden = r (.) (G W),    d weight = G^T (r (.) X),    d bias = G^T r

so r never touches an (N, V) matrix: G can be formed before r is known, and r costs O(N H).

Rows whose label is negative do not count. On a CPU they are left out of every matmul, and rows with r = 0 out of those of the backward.
On CUDA to know how many these are would wait for the device: there every row is computed, with zeros where it does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from minimax_kernels.backend import resolve
from minimax_kernels.linear_cross_entropy import native
from minimax_kernels.linear_cross_entropy import rows as torch_rows
from minimax_kernels.linear_cross_entropy.rows import Options
from minimax_kernels.samples import widened

OFFERS = ("triton", "torch", "native")
ALIGNED = 64  # rows of the buffers start at multiples of so many numbers, whatever the number of classes: vector loads need that
ROUND = 64  # rows of a chunk
CPU_CHUNK = (32 << 20, 256)  # bytes, and at least so many rows: with fewer, adding to d weight costs more than multiplying
CUDA_CHUNK = (384 << 20, 1024)  # with fewer rows the matmuls leave processors idle
Rows = slice | Tensor  # which rows: a slice, or their indices


class Needed(NamedTuple):
    """Which derivatives somebody wants."""

    hidden: bool
    weight: bool
    bias: bool


class Head:
    """The samples `hidden` (N, H), the layer `weight` (V, H) and `bias` (V,), and the `labels` (N,), in the dtype of the matmuls."""

    def __init__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, options: Options, backend: str
    ) -> None:
        runs = resolve(backend, hidden, OFFERS)
        self.dtype = matmul_dtype(hidden, backend)
        self.hidden, self.weight, self.labels, self.options = hidden, weight.to(self.dtype), labels, options
        self.bias = None if bias is None else bias.to(widened(hidden.dtype)).contiguous()
        self.rows = row_operations(runs)
        self.leaves_out = runs != "triton" and not hidden.is_cuda
        self.scratch: Tensor | None = None

    def select(self, wanted: Tensor) -> Tensor | None:
        """The indices of the `wanted` rows; None for every row."""
        return wanted.nonzero().squeeze(1) if self.leaves_out and not bool(wanted.all()) else None

    def buffer(self, count: int) -> Tensor:
        """Room for the logits of `count` rows, the same at each call."""
        if self.scratch is None or len(self.scratch) < count:
            self.scratch = self.hidden.new_empty(count, row_length(len(self.weight)), dtype=self.dtype)
        return self.scratch[:count]

    def logits(self, rows: Rows, out: Tensor) -> tuple[Tensor, Tensor]:
        """The samples of those rows, and their logits without the bias, in `out`."""
        x, tile = self.hidden[rows].to(self.dtype), out[:, : len(self.weight)]
        torch.mm(x, self.weight.t(), out=tile)
        out[:, len(self.weight) :] = 0.0  # the padding, which kernels read
        return x, tile

    def pieces(self, count: int, boundary: int = 0) -> Iterator[tuple[int, int]]:
        """Ranges of rows that cover `count` in equal chunks, none of them across the `boundary`."""
        size, least = CUDA_CHUNK if self.hidden.is_cuda else CPU_CHUNK
        most = max(size // (row_length(len(self.weight)) * self.dtype.itemsize) // ROUND * ROUND, least)
        for first, last in ((0, boundary), (boundary, count)):
            chunks = -(-(last - first) // most)
            step = -(-(last - first) // (max(chunks, 1) * ROUND)) * ROUND
            yield from ((start, min(start + step, last)) for start in range(first, last, max(step, 1)))


class Sums:
    """The derivatives of sum_i r_i loss_i, chunk by chunk. Those that are not needed stay empty and cost nothing."""

    def __init__(self, head: Head, needed: Needed) -> None:
        hidden, weight, sum_dtype = head.hidden, head.weight, widened(head.hidden.dtype)
        self.needed = needed
        self.hidden = torch.zeros_like(hidden) if needed.hidden else hidden.new_empty(0)
        self.weight = weight.new_zeros(weight.shape if needed.weight else 0, dtype=sum_dtype)
        self.bias = weight.new_zeros(len(weight) if needed.bias else 0, dtype=sum_dtype)

    def add(self, head: Head, rows: Rows, x: Tensor, g: Tensor, r: Tensor, unscaled: bool = False) -> None:
        """Add those rows: samples `x`, derivatives `g` with respect to the logits, weights `r`. `unscaled`: d hidden without r."""
        column = r[:, None]
        if self.needed.hidden:
            product = torch.mm(g, head.weight)
            self.hidden[rows] = (product if unscaled else _times(product, column)).to(self.hidden.dtype)
        if self.needed.weight:
            _accumulate(self.weight, g.t(), _times(x, column).to(x.dtype))
        if self.needed.bias:
            _accumulate(self.bias[:, None], g.t(), column.to(g.dtype))


def forward(head: Head, stored: int) -> tuple[Tensor, Tensor, Tensor]:
    """The rows' losses, their log-sum-exps, and G of the first `stored` rows that count."""
    losses, lse, kept = _outputs(head, stored)
    counted = head.select(head.labels >= 0)
    count = len(losses) if counted is None else len(counted)
    for start, stop in head.pieces(count, min(stored, count)):
        rows = _rows(counted, slice(start, stop))
        keep = stop <= stored
        _losses(head, rows, kept[start:stop] if keep else head.buffer(stop - start), losses, lse, keep)
    return losses, lse, kept


def backward(head: Head, r: Tensor, lse: Tensor, kept: Tensor, needed: Needed) -> Sums:
    """The derivatives of sum_i r_i loss_i from what `forward` returned: G is taken where it was stored, else formed again."""
    sums = Sums(head, needed)
    counted = head.select(head.labels >= 0)
    r_counted = r if counted is None else r[counted]
    active = head.select(r_counted != 0)
    count = len(r_counted) if active is None else len(active)
    stored = min(len(kept), count) if active is None else int((active < len(kept)).sum())
    for start, stop in head.pieces(count, stored):
        position = _rows(active, slice(start, stop))
        rows = _rows(counted, position)
        if stop <= stored:
            x, g = head.hidden[rows].to(head.dtype), _stored(head, kept, position)
        else:
            x, g = head.logits(rows, head.buffer(stop - start))
            head.rows.gradients(g, head.bias, torch.where(r[rows] != 0, head.labels[rows], -1), lse[rows], head.options)
        sums.add(head, rows, x, g, r[rows])
    return sums


def known(head: Head, r: Tensor, needed: Needed) -> tuple[Tensor, Sums]:
    """The rows' losses and, r being known, the derivatives of sum_i r_i loss_i in one pass; d hidden without r."""
    losses, lse, _ = _outputs(head, 0)
    sums = Sums(head, needed)
    active = head.select((head.labels >= 0) & (r != 0))
    for start, stop in head.pieces(len(r) if active is None else len(active)):
        rows = _rows(active, slice(start, stop))
        x, g = _losses(head, rows, head.buffer(stop - start), losses, lse, gradient=True)
        sums.add(head, rows, x, g, r[rows], unscaled=True)
    if active is not None:  # the losses of the others
        others = ((head.labels >= 0) & (r == 0)).nonzero().squeeze(1)
        for start, stop in head.pieces(len(others)):
            _losses(head, others[start:stop], head.buffer(stop - start), losses, lse, gradient=False)
    return losses, sums


def row_operations(runs: str) -> ModuleType:
    """The module with `losses` and `gradients` of tiles."""
    if runs == "triton":
        from minimax_kernels.linear_cross_entropy import triton_kernels

        return triton_kernels
    return native if runs == "native" else torch_rows


def matmul_dtype(hidden: Tensor, backend: str) -> torch.dtype:
    """That of `hidden`; on a CPU, which emulates the narrow ones, at least float32."""
    return widened(hidden.dtype) if resolve(backend, hidden, OFFERS) != "triton" and not hidden.is_cuda else hidden.dtype


def row_length(n_classes: int) -> int:
    """The numbers from one row of a buffer to the next."""
    return -(-n_classes // ALIGNED) * ALIGNED


def _outputs(head: Head, stored: int) -> tuple[Tensor, Tensor, Tensor]:
    losses = head.hidden.new_zeros(len(head.hidden), dtype=widened(head.hidden.dtype))
    kept = head.hidden.new_empty(stored, row_length(len(head.weight)), dtype=head.dtype)
    return losses, torch.zeros_like(losses), kept


def _losses(head: Head, rows: Rows, out: Tensor, losses: Tensor, lse: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
    """Write the losses of those rows; their samples, and in `out` their G if `gradient`."""
    x, tile = head.logits(rows, out)
    into = torch.empty_like(losses[rows]), torch.empty_like(losses[rows])
    head.rows.losses(tile, head.bias, head.labels[rows], *into, head.options, gradient)
    losses[rows], lse[rows] = into
    return x, tile


def _rows(indices: Tensor | None, part: Rows) -> Rows:
    """That part of the rows; a slice wherever they follow one another."""
    if indices is None:
        return part
    chosen = indices[part]
    first, last = int(chosen[0]), int(chosen[-1])
    return slice(first, last + 1) if last - first + 1 == len(chosen) else chosen


def _stored(head: Head, kept: Tensor, position: Rows) -> Tensor:
    if isinstance(position, Tensor):
        kept = torch.index_select(kept, 0, position, out=head.buffer(len(position)))
        position = slice(None)
    return kept[position, : len(head.weight)]


def _times(x: Tensor, column: Tensor) -> Tensor:
    """Of both the product, and 0 where the column is 0, whatever x."""
    return torch.where(column == 0, 0.0, x * column)


def _accumulate(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a b to the total, in its dtype."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    elif a.is_cuda and torch.cuda.get_device_capability(a.device) >= (8, 0):
        torch.addmm(total, a, b, out_dtype=total.dtype, out=total)
    else:  # the product is rounded, the sum is not
        total.add_(torch.mm(a, b))


__all__ = ["Head", "Needed", "Sums", "backward", "forward", "known", "matmul_dtype", "row_length"]
