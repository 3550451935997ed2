"""Rows in blocks that stay in the cache of a core: the plan of the ops on a CPU."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1 << 18  # entries in a block, 1 MiB of float32: half of a second-level cache

Rows = slice | Tensor


def blocks_of(live: Tensor, length: int) -> Iterator[Rows]:
    """All rows that are live, in blocks of at most BLOCK entries, of `length` each.

    Where most rows are live, slices of neighbours, without a copy but with rows that are not live: what they give is to be overwritten.
    Where few are, their numbers.
    """
    n, size = len(live), max(BLOCK // length, 1)
    if 2 * int(live.sum()) >= n:
        yield from (slice(start, min(start + size, n)) for start in range(0, n, size))
    else:
        yield from (rows for rows in torch.split(live.nonzero().squeeze(-1), size) if len(rows))


def buffer_for(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Room for one block of `rows` (N, V)."""
    n, v = rows.shape
    return rows.new_empty(min(max(BLOCK // v, 1), n), v, dtype=dtype)


__all__ = ["Rows", "blocks_of", "buffer_for"]
