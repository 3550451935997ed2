"""Cross-entropy from logits, by task."""

from __future__ import annotations

from minimax_kernels.cross_entropy.op import task_cross_entropy

__all__ = ["task_cross_entropy"]
