"""Averages of iterates, mini-batches, and the step sizes that need no constants: what the stochastic methods share."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from minimax_opt.arrays import Array, norm
from minimax_opt.problem import Counts, Point, Problem
from minimax_opt.tasks.base import Tasks


@dataclass(frozen=True)
class Average:
    """The weighted mean of the vectors added so far; exact in the first, free of a growing sum."""

    mean: Array = None
    total: float = 0.0

    def add(self, vector: Array, weight: float = 1.0) -> Average:
        """The average with one more vector."""
        if self.mean is None:
            return Average(vector, weight)
        total = self.total + weight
        return Average(self.mean + (weight / total) * (vector - self.mean), total)


@dataclass(frozen=True)
class DistanceOverGradients:
    r"""The step :math:`\eta_t = \max_{s \le t} |x_s - x_0| / (\sum_{s \le t} |g_s|^2)^{1/2}`.

    It comes to what the theory asks for, R / (G sqrt(T)), without G, R and T.

    Attributes
    ----------
    distance : float
        The largest distance from x_0 so far; a small guess at first.
    squares : float
        The sum of the squared gradient norms.

    References
    ----------
    Ivgi, Hinder and Carmon, "DoG is SGD's best friend: a parameter-free dynamic step size schedule", ICML 2023.
    """

    distance: float
    squares: float = 0.0

    def see(self, gradient: Array, x: Array, x0: Array) -> DistanceOverGradients:
        """After one more gradient at x."""
        return DistanceOverGradients(max(self.distance, norm(x - x0)), self.squares + norm(gradient) ** 2)

    @property
    def step_size(self) -> float:
        """eta_t; 0 as long as every gradient was 0."""
        return self.distance / math.sqrt(self.squares) if self.squares > 0 else 0.0


def first_distance(gradient: Array, scale: float) -> float:
    """A guess of |x_0 - x*| from below: where the linearisation has lost a tenth of the scale of the losses."""
    length = norm(gradient)
    return 0.1 * scale / length if length > 0 else 0.0


def draw(problem: Problem, generator: np.random.Generator, batch_size: int, x: Array) -> Point:
    """Evaluate x on a fresh mini-batch, the regulariser included. Not counted in nfev and njev, which are full passes."""
    batch = dataclasses.replace(problem, tasks=problem.tasks.sample(generator, batch_size), counts=Counts())
    return batch.at(x)


def refused_batches(problem: Problem, batch_size: int | None) -> str | None:
    """The refusal of mini-batches of tasks that cannot draw them."""
    if batch_size is None or type(problem.tasks).sample is not Tasks.sample:
        return None
    name = type(problem.tasks).__name__
    return f"cannot draw mini-batches of {name}: leave out `batch_size`, or give the tasks a method `sample`."


__all__ = ["Average", "DistanceOverGradients", "draw", "first_distance", "refused_batches"]
