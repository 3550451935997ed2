"""Tensor operations behind minimax_opt: they import torch only. Users find them in :mod:`minimax_opt.ops`."""

from __future__ import annotations

from minimax_kernels.cross_entropy import task_cross_entropy
from minimax_kernels.linear_cross_entropy import task_linear_cross_entropy
from minimax_kernels.masked_mse import task_masked_mse
from minimax_kernels.reduce import ExactTaskReduction, TaskReduction, task_reduce, task_reduce_exact, task_spread
from minimax_kernels.response import SmoothMax, TaskStep, mirror_step, smooth_max, task_step
from minimax_kernels.simplex import project_capped_simplex, project_simplex

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
