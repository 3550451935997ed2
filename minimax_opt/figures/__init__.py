"""Figures, one function each, drawn from saved results. matplotlib is imported only when one is drawn."""

from minimax_opt.figures.comparison import draw_comparison
from minimax_opt.figures.style import render

__all__ = ["draw_comparison", "render"]
