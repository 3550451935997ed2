"""Tensor operations behind minimax_opt: they import torch only. Users find them in :mod:`minimax_opt.ops`."""

from __future__ import annotations

from minimax_kernels.simplex_projection import project_capped_simplex, project_simplex

__all__ = ["project_capped_simplex", "project_simplex"]
