"""Losses of samples reduced by task, and the way back."""

from __future__ import annotations

from minimax_kernels.reduce.exact import ExactTaskReduction, task_reduce_exact
from minimax_kernels.reduce.op import task_reduce
from minimax_kernels.reduce.results import TaskReduction
from minimax_kernels.reduce.spread import task_spread

__all__ = ["ExactTaskReduction", "TaskReduction", "task_reduce", "task_reduce_exact", "task_spread"]
