"""Euclidean projections onto the simplex, with caps or without."""

from __future__ import annotations

from minimax_kernels.simplex.op import project_capped_simplex, project_simplex

__all__ = ["project_capped_simplex", "project_simplex"]
