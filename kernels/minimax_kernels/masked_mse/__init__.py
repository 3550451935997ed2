"""Regression of masked patches, by task."""

from __future__ import annotations

from minimax_kernels.masked_mse.op import task_masked_mse

__all__ = ["task_masked_mse"]
