"""Cross entropy of a linear layer, per task, without its logits."""

from __future__ import annotations

from minimax_kernels.linear_cross_entropy.op import task_linear_cross_entropy

__all__ = ["task_linear_cross_entropy"]
