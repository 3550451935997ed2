"""Tasks by size: lengths, or any numbers, between quantiles of the training data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED
from minimax_opt import checks
from minimax_opt.arrays import to_host
from minimax_opt.nn.task_ids.base import TaskMap


@dataclass(frozen=True)
class BucketMap(TaskMap, kind="buckets"):
    """A task for each range of a number: up to the first edge, above it and up to the second, ..., above the last.

    Parameters
    ----------
    edges : sequence of K - 1 numbers
        Increasing. A value on an edge belongs to the range below it; nan belongs to none.
    quantity : str
        What is measured, for the names.

    Examples
    --------
    >>> lengths = BucketMap.from_values([5, 9, 12, 30, 41, 200], n_buckets=3, quantity="length")
    >>> lengths.task_names, lengths([1, 9, 10, 1000]).tolist()
    (('length <= 9', '9 < length <= 30', 'length > 30'), [0, 0, 1, 2])
    """

    edges: Sequence[float]
    quantity: str = "value"
    task_names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        edges = tuple(checks.vector("edges", list(self.edges)).tolist())
        if any(low >= high for low, high in itertools.pairwise(edges)):
            raise ValueError(f"`edges` must increase, got {self.edges!r}.")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "task_names", _names(edges, self.quantity))

    @classmethod
    def from_values(cls, values: Any, n_buckets: int, quantity: str = "value") -> BucketMap:
        """The ranges that hold about as many of `values` each.

        Edges are among the values. Where many values are equal there are fewer ranges: none is empty.
        """
        n_buckets = checks.integer("n_buckets", n_buckets, 1)
        numbers = to_host(checks.real_array("`values` must be an array", values)).astype(float).ravel()
        numbers = numbers[~np.isnan(numbers)]
        if not np.isfinite(numbers).all() or not numbers.size:
            raise ValueError("`values` must hold finite numbers, at least one.")
        shares = np.arange(1, n_buckets) / n_buckets
        edges = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
        return cls(edges[edges < numbers.max()].tolist(), quantity)

    def __call__(self, values: Any) -> Tensor:
        """The task ids of numbers in a list, an array or a tensor, on whose device they stay."""
        if not isinstance(values, Tensor):
            values = torch.from_numpy(np.asarray(checks.real_array("`values` must be an array", values), dtype=np.float64))
        numbers = values.detach().to(torch.float32 if values.device.type == "mps" else torch.float64)
        edges = torch.tensor(self.edges, dtype=numbers.dtype, device=numbers.device)
        return torch.where(numbers.isnan(), IGNORED, torch.bucketize(numbers, edges))

    def to_dict(self) -> dict[str, Any]:
        return self._tagged(edges=list(self.edges), quantity=self.quantity)

    @classmethod
    def _from_dict(cls, saved: dict[str, Any]) -> BucketMap:
        return cls(saved["edges"], saved["quantity"])


def _names(edges: Sequence[float], quantity: str) -> tuple[str, ...]:
    if not edges:
        return (quantity,)
    digits = next(d for d in range(4, 18) if len({f"{e:.{d}g}" for e in edges}) == len(edges))
    texts = [str(int(e)) if math.isfinite(e) and e == int(e) and abs(e) < 1e15 else f"{e:.{digits}g}" for e in edges]
    between = [f"{low} < {quantity} <= {high}" for low, high in itertools.pairwise(texts)]
    return (f"{quantity} <= {texts[0]}", *between, f"{quantity} > {texts[-1]}")


__all__ = ["BucketMap"]
