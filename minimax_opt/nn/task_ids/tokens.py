"""Tasks by a table over whole numbers: tokens of a vocabulary by their frequency, classes by a list."""

from __future__ import annotations

import itertools
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
class TokenMap(TaskMap, kind="tokens"):
    """The task of token i is ``table[i]``.

    Parameters
    ----------
    table : sequence of V integers
        Task ids; -100 for tokens of no task.
    task_names : sequence of str

    Examples
    --------
    >>> tokens = TokenMap.from_counts([60, 25, 10, 5, 0], n_buckets=2)
    >>> tokens.task_names, tokens(torch.tensor([[0, 1], [4, -100]])).tolist()
    (('frequency rank <= 1', 'frequency rank > 1'), [[0, 1], [1, -100]])
    """

    table: Sequence[int]
    task_names: tuple[str, ...]
    _table: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(self.task_names)
        host = to_host(checks.real_array("`table` must be a vector", self.table))
        known = host[host != IGNORED]
        inside = (known >= 0) & (known < len(names)) & (known == known.astype(np.int64))
        if host.ndim != 1 or not inside.all():
            raise ValueError(f"`table` must be a vector of task ids from 0 to {len(names) - 1}, or -100, one for each token.")
        ids = torch.from_numpy(host.astype(np.int64))
        for name, value in {"table": tuple(ids.tolist()), "task_names": names, "_table": ids}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_counts(cls, counts: Any, n_buckets: int, quantity: str = "frequency rank") -> TokenMap:
        """Tokens from frequent to rare, cut so that each task has about as many occurrences.

        Parameters
        ----------
        counts : array, shape (V,)
            How often each token occurs in the training data, as from ``torch.bincount(token_ids, minlength=V)``. Those that never occur
            belong to the rarest.
        n_buckets : int
            Fewer come out where single tokens make up more than a share: none is empty.
        quantity : str
            What is ranked, for the names.
        """
        n_buckets = checks.integer("n_buckets", n_buckets, 1)
        occurrences = checks.vector("counts", counts)
        if (occurrences < 0).any() or not occurrences.sum() > 0:
            raise ValueError("`counts` must be at least 0, and not all 0.")
        order = np.argsort(-occurrences, kind="stable")  # ties in the order of the ids
        share = np.cumsum(occurrences[order]) / occurrences.sum()
        before = np.concatenate([[0.0], share[:-1]])
        bucket = np.minimum((before * n_buckets + 1e-9).astype(np.int64), n_buckets - 1)
        bucket = np.where(occurrences[order] > 0, bucket, bucket[np.count_nonzero(occurrences) - 1])
        _, bucket = np.unique(bucket, return_inverse=True)
        table = np.empty(len(order), dtype=np.int64)
        table[order] = bucket
        ends = [int(np.searchsorted(bucket, k, side="right")) for k in range(int(bucket[-1]))]
        names = (f"{low} < {quantity} <= {high}" for low, high in itertools.pairwise(ends))
        return cls(table.tolist(), (f"{quantity} <= {ends[0]}", *names, f"{quantity} > {ends[-1]}") if ends else (quantity,))

    def __call__(self, values: Any) -> Tensor:
        """The task ids of token ids; -100 for those outside of the table, such as ignored targets. Without host synchronisation."""
        tokens = values if isinstance(values, Tensor) else torch.as_tensor(values)
        if tokens.dtype.is_floating_point or tokens.dtype.is_complex or tokens.dtype == torch.bool:
            raise TypeError(f"token ids must be integers, got {tokens.dtype}.")
        inside = (tokens >= 0) & (tokens < len(self.table))
        table = self._table.to(tokens.device, non_blocking=True)
        return torch.where(inside, table[torch.where(inside, tokens, 0).long()], IGNORED)

    def to_dict(self) -> dict[str, Any]:
        return self._tagged(table=list(self.table), task_names=list(self.task_names))

    @classmethod
    def _from_dict(cls, saved: dict[str, Any]) -> TokenMap:
        return cls(saved["table"], tuple(saved["task_names"]))


__all__ = ["TokenMap"]
