"""The adversary's response to losses, and its step, on the simplex."""

from __future__ import annotations

from minimax_kernels.response.mirror import mirror_step
from minimax_kernels.response.op import SmoothMax, smooth_max
from minimax_kernels.response.step import TaskStep, task_step

__all__ = ["SmoothMax", "TaskStep", "mirror_step", "smooth_max", "task_step"]
