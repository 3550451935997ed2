"""What is minimised: families of K losses of one vector x, one file a family. The contract: :mod:`minimax_opt.tasks.base`."""

from minimax_opt.tasks.affine import AffineTasks, ChebyshevTasks
from minimax_opt.tasks.base import Evaluation, Tasks
from minimax_opt.tasks.check import check_jacobian
from minimax_opt.tasks.huber import HuberTasks
from minimax_opt.tasks.least_squares import LeastSquaresTasks
from minimax_opt.tasks.logistic import LogisticTasks
from minimax_opt.tasks.module import ModuleTasks
from minimax_opt.tasks.multinomial import MultinomialTasks
from minimax_opt.tasks.numpy_function import NumPyTasks
from minimax_opt.tasks.poisson import PoissonTasks
from minimax_opt.tasks.quadratic import QuadraticTasks
from minimax_opt.tasks.quantile import QuantileTasks
from minimax_opt.tasks.torch_function import TorchTasks

__all__ = [
    "AffineTasks",
    "ChebyshevTasks",
    "Evaluation",
    "HuberTasks",
    "LeastSquaresTasks",
    "LogisticTasks",
    "ModuleTasks",
    "MultinomialTasks",
    "NumPyTasks",
    "PoissonTasks",
    "QuadraticTasks",
    "QuantileTasks",
    "Tasks",
    "TorchTasks",
    "check_jacobian",
]
