"""What the ops return: small named tuples."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class TaskLosses(NamedTuple):
    """Losses of the samples and their means over each task."""

    task_losses: Tensor
    task_counts: Tensor
    sample_losses: Tensor


__all__ = ["TaskLosses"]
