"""Solve and train for the worst task: min_x max_{w in W} sum_k w_k f_k(x), with certificates."""

from minimax_opt import domains
from minimax_opt.ambiguity import AmbiguitySet, ChiSquareBall, CVaR, KLBall, Simplex, respond, worst_case
from minimax_opt.certificate import Certificate
from minimax_opt.domains import Ball, Box, Fantope
from minimax_opt.minimize import minimize_max
from minimax_opt.path import PathResult, minimize_max_path
from minimax_opt.regularizers import L1, QuadraticRegularizer, Ridge
from minimax_opt.result import MinimaxResult, Status
from minimax_opt.tasks import (
    AffineTasks,
    ChebyshevTasks,
    HuberTasks,
    LeastSquaresTasks,
    LogisticTasks,
    ModuleTasks,
    MultinomialTasks,
    NumPyTasks,
    PoissonTasks,
    QuadraticTasks,
    QuantileTasks,
    Tasks,
    TorchTasks,
    check_jacobian,
)

__version__ = "0.1.0"

__all__ = [
    "L1",
    "AffineTasks",
    "AmbiguitySet",
    "Ball",
    "Box",
    "CVaR",
    "Certificate",
    "ChebyshevTasks",
    "ChiSquareBall",
    "Fantope",
    "HuberTasks",
    "KLBall",
    "LeastSquaresTasks",
    "LogisticTasks",
    "MinimaxResult",
    "ModuleTasks",
    "MultinomialTasks",
    "NumPyTasks",
    "PathResult",
    "PoissonTasks",
    "QuadraticRegularizer",
    "QuadraticTasks",
    "QuantileTasks",
    "Ridge",
    "Simplex",
    "Status",
    "Tasks",
    "TorchTasks",
    "check_jacobian",
    "domains",
    "minimize_max",
    "minimize_max_path",
    "respond",
    "worst_case",
]
