"""Ambiguity sets and the adversary's one operation.

``respond(losses, ambiguity, smoothing=..., geometry=..., anchor=...)`` is the argmax over w in W of
<w, losses> - smoothing D(w, anchor), and ``worst_case`` is its value. The sets: :class:`Simplex`, :class:`CVaR`,
:class:`KLBall`, :class:`ChiSquareBall`.
"""

from __future__ import annotations

from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.chi_square_ball import ChiSquareBall
from minimax_opt.ambiguity.constraints import BallConstraint, HostConstraints
from minimax_opt.ambiguity.cvar import CVaR
from minimax_opt.ambiguity.functions import respond, worst_case
from minimax_opt.ambiguity.kl_ball import KLBall
from minimax_opt.ambiguity.simplex import Simplex

__all__ = [
    "AmbiguitySet",
    "BallConstraint",
    "CVaR",
    "ChiSquareBall",
    "Geometry",
    "HostConstraints",
    "KLBall",
    "Simplex",
    "respond",
    "worst_case",
]
