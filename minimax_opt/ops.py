"""The tensor operations: the one public home of what :mod:`minimax_kernels` implements."""

from __future__ import annotations

from minimax_kernels import (
    ExactTaskReduction,
    SmoothMax,
    TaskReduction,
    TaskStep,
    mirror_step,
    project_capped_simplex,
    project_simplex,
    smooth_max,
    task_cross_entropy,
    task_linear_cross_entropy,
    task_masked_mse,
    task_reduce,
    task_reduce_exact,
    task_spread,
    task_step,
)

__all__ = [
    "ExactTaskReduction",
    "SmoothMax",
    "TaskReduction",
    "TaskStep",
    "mirror_step",
    "project_capped_simplex",
    "project_simplex",
    "smooth_max",
    "task_cross_entropy",
    "task_linear_cross_entropy",
    "task_masked_mse",
    "task_reduce",
    "task_reduce_exact",
    "task_spread",
    "task_step",
]
