"""The tensor operations: the one public home of what :mod:`minimax_kernels` implements."""

from __future__ import annotations

from minimax_kernels import project_capped_simplex, project_simplex, task_cross_entropy, task_masked_mse

__all__ = ["project_capped_simplex", "project_simplex", "task_cross_entropy", "task_masked_mse"]
