"""What ranks tell each other: two vectors over tasks, the sums and the counts.

A loss in one call needs both before its weights: one reduction of 2K numbers. Under gradient accumulation there are two of K numbers, both
started early and awaited late: the counts, known before the first forward, and the sums, known at the last micro-batch's loss, while that
micro-batch's backward is still to come. So nothing is pending between steps, and saving a state never waits for another rank.

All numbers are float64 and carry no graph: gradients are averaged by whoever averages them (DDP, FSDP2), for which the loss is multiplied by
the number of ranks.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def group_size(group: dist.ProcessGroup | None) -> int:
    """The number of ranks that share the tasks' losses: 1 unless torch.distributed is in use."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    size = dist.get_world_size(group)
    if size < 1:
        raise ValueError(
            "This process is not in `process_group`. Give each process the group in which its gradients are averaged."
        )
    return size


class Reduction:
    """A sum over ranks under way; started at once, there after `wait`. The tensor is overwritten by the sum.

    Without other ranks, or `alone`, the tensor is the sum.
    """

    def __init__(self, tensor: Tensor, group: dist.ProcessGroup | None, alone: bool = False) -> None:
        self._tensor = tensor
        self._work: dist.Work | None = None
        if not alone and group_size(group) > 1:
            early = not torch.compiler.is_compiling()  # a graph can hold a reduction, but none that is under way
            self._work = dist.all_reduce(tensor, group=group, async_op=early)

    def wait(self) -> Tensor:
        """The sum; on a GPU, the stream waits and not the host."""
        if self._work is not None:
            self._work.wait()
            self._work = None
        return self._tensor


__all__ = ["Reduction", "group_size"]
