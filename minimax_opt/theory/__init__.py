"""The bounds of the theory as functions, the constants that they need, worst-case instances, and the models of pre-training.

``docs/theory/`` has the definitions, theorems and proofs; each function here names the theorem that it evaluates. Import what you need from
here, ``import minimax_opt.theory as theory``; the modules below it also hold what only proofs, simulations and tests use.

Examples
--------
>>> import minimax_opt as mo
>>> import minimax_opt.theory as theory
>>> tasks = mo.LogisticTasks([[[1.0]], [[2.0]]], [[1], [0]])  # two tasks of one row
>>> L, G, D = theory.constants_on_ball(tasks, [0.0], 10.0)
>>> problem = {"radius": 1.0, "n_tasks": 2, "lipschitz": G, "diameter": D}
>>> s = theory.accelerated_smoothing(horizon=200, **problem)
>>> round(theory.accelerated_bound(horizon=200, smoothing=s, smoothness=L, **problem), 4)
0.0174
"""

from minimax_opt.theory.accelerated import accelerated_bound, accelerated_optimum, accelerated_smoothing, momentum
from minimax_opt.theory.bayes import bayes_excess, bayes_samples, minimax_excess, minimax_samples, one_step_excess
from minimax_opt.theory.constants import Constants, constants_on_ball, radius_bound
from minimax_opt.theory.downstream import least_squares_cdf, least_squares_excess, least_squares_samples
from minimax_opt.theory.gradient_descent import gradient_descent_bound, gradient_descent_optimum, gradient_descent_smoothing
from minimax_opt.theory.hull import Representativeness, representativeness, residual_bound
from minimax_opt.theory.limits import LIMITS, Limit
from minimax_opt.theory.minibatch import (
    batch_bias,
    batch_inflation,
    independent_weights_bias,
    least_smoothing,
    noise_floor,
    rare_task_smoothing,
    same_batch_bias,
)
from minimax_opt.theory.minibatch_methods import (
    batch_descent_bound,
    batch_descent_step_size,
    gradient_deviation,
    stochastic_ascent_bound,
)
from minimax_opt.theory.mirror import (
    Steps,
    descent_ascent_bound,
    descent_ascent_optimum,
    descent_ascent_steps,
    mirror_prox_bound,
    mirror_prox_optimum,
    mirror_prox_scale,
    operator_constant,
)
from minimax_opt.theory.performance_estimation import (
    accelerated_worst_case,
    gradient_descent_exact,
    gradient_descent_worst_case,
)
from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import MinimaxRepresentation, minimax_representation
from minimax_opt.theory.representation import Representation, average_representation, residuals
from minimax_opt.theory.shared_weights import (
    SharedWeights,
    average_weights,
    minimax_weights,
    ridge_cdf,
    ridge_excess,
    shrinkage,
)
from minimax_opt.theory.smoothing import bias, curvature, prior_bias, restarted_schedule, smoothing_for, steepness
from minimax_opt.theory.trajectory import states
from minimax_opt.theory.worst_case import Instance, crowded_pair, opposite_slopes, slow_accelerated, slow_gradient_descent

__all__ = [
    "LIMITS",
    "Constants",
    "Instance",
    "Limit",
    "MinimaxRepresentation",
    "RareTask",
    "Representation",
    "Representativeness",
    "SharedWeights",
    "Steps",
    "accelerated_bound",
    "accelerated_optimum",
    "accelerated_smoothing",
    "accelerated_worst_case",
    "average_representation",
    "average_weights",
    "batch_bias",
    "batch_descent_bound",
    "batch_descent_step_size",
    "batch_inflation",
    "bayes_excess",
    "bayes_samples",
    "bias",
    "constants_on_ball",
    "crowded_pair",
    "curvature",
    "descent_ascent_bound",
    "descent_ascent_optimum",
    "descent_ascent_steps",
    "gradient_descent_bound",
    "gradient_descent_exact",
    "gradient_descent_optimum",
    "gradient_descent_smoothing",
    "gradient_descent_worst_case",
    "gradient_deviation",
    "independent_weights_bias",
    "least_smoothing",
    "least_squares_cdf",
    "least_squares_excess",
    "least_squares_samples",
    "minimax_excess",
    "minimax_representation",
    "minimax_samples",
    "minimax_weights",
    "mirror_prox_bound",
    "mirror_prox_optimum",
    "mirror_prox_scale",
    "momentum",
    "noise_floor",
    "one_step_excess",
    "operator_constant",
    "opposite_slopes",
    "prior_bias",
    "radius_bound",
    "rare_task_smoothing",
    "representativeness",
    "residual_bound",
    "residuals",
    "restarted_schedule",
    "ridge_cdf",
    "ridge_excess",
    "same_batch_bias",
    "shrinkage",
    "slow_accelerated",
    "slow_gradient_descent",
    "smoothing_for",
    "states",
    "steepness",
    "stochastic_ascent_bound",
]
