"""One frequent and one rare, hard pair of tasks for two features: the smallest family in which average and minimax pre-training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.theory.checked import plain, real


@dataclass(frozen=True, kw_only=True)
class RareTask:
    """Tasks alpha c +- beta v (frequent, (1 - p)/2 each) and alpha c +- gamma u (hard and rare, p/2 each), c, v, u orthonormal, r = 2 (C3).

    Parameters
    ----------
    common : float
        alpha: the part that all tasks share; the largest of the three.
    frequent : float
        beta > 0: the own part of the frequent tasks; the smallest.
    hard : float
        gamma: the own part of the hard tasks, between the two.
    hard_share : float
        p in [0, 1]: how often the hard tasks occur upstream.

    Examples
    --------
    >>> family = RareTask(common=1.5, frequent=0.3, hard=1.0, hard_share=0.05)
    >>> family.average_residuals, round(family.minimax_residual, 5), round(family.switch, 5)
    ((0.0, 1.0), 0.08257, 0.08257)
    """

    common: float
    frequent: float
    hard: float
    hard_share: float

    rank = 2

    def __post_init__(self) -> None:
        checks.number("frequent", self.frequent, 0.0, strict=True)
        checks.number("hard", self.hard, self.frequent, strict=True)
        checks.number("common", self.common, self.hard, strict=True)
        if checks.number("hard_share", self.hard_share, 0.0) > 1.0:
            raise ValueError(f"`hard_share` must be in [0, 1], got {self.hard_share!r}.")

    def task_vectors(self, dimension: int) -> Host:
        """The four tasks, shape (4, d), with c, v, u the first three unit vectors; d >= 3."""
        dimension = checks.integer("dimension", dimension, 3)
        vectors = np.zeros((4, dimension))
        vectors[:, 0] = self.common
        vectors[:2, 1] = self.frequent, -self.frequent
        vectors[2:, 2] = self.hard, -self.hard
        return vectors

    @property
    def prior(self) -> Host:
        """How often each of the four tasks occurs."""
        return np.array([1 - self.hard_share, 1 - self.hard_share, self.hard_share, self.hard_share]) / 2

    @property
    def switch(self) -> float:
        """p* = beta^2/(beta^2 + gamma^2): average pre-training keeps v below it, u above; the minimax adversary's weight on the hard pair."""
        return self.frequent**2 / (self.frequent**2 + self.hard**2)

    @property
    def average_residuals(self) -> tuple[float, float]:
        """What average pre-training leaves of the frequent and of the hard tasks; at p = p* it may leave either, and this says the former.

        p gamma^2 < (1 - p) beta^2: (0, gamma^2). p gamma^2 > (1 - p) beta^2: (beta^2, 0).
        """
        keeps_frequent = self.hard_share * self.hard**2 <= (1 - self.hard_share) * self.frequent**2
        return (0.0, self.hard**2) if keeps_frequent else (self.frequent**2, 0.0)

    @property
    def minimax_residual(self) -> float:
        """What minimax pre-training leaves of every task: t = beta^2 gamma^2/(beta^2 + gamma^2) (C3)."""
        return self.switch * self.hard**2

    @property
    def average_objective(self) -> float:
        """min_P sum_k p_k b_k = min(p gamma^2, (1 - p) beta^2)."""
        return min(self.hard_share * self.hard**2, (1 - self.hard_share) * self.frequent**2)

    @property
    def price(self) -> float:
        """What minimax pre-training adds to the average residual (C5): t - min(p gamma^2, (1 - p) beta^2) >= 0."""
        return self.minimax_residual - self.average_objective

    def raw_residuals(self, noise_difference: Any) -> tuple[Any, Any]:
        """What minimax over RAW losses b_k + sigma_k^2 leaves of the frequent and of the hard tasks (C6).

        Parameters
        ----------
        noise_difference : float or ndarray
            Delta = sigma_frequent^2 - sigma_hard^2.

        Returns
        -------
        frequent, hard : float or ndarray
            beta^2 x and gamma^2 (1 - x) with x = (gamma^2 - Delta)/(beta^2 + gamma^2), clipped to [0, 1].

        Examples
        --------
        >>> family = RareTask(common=1.5, frequent=0.3, hard=1.0, hard_share=0.05)
        >>> family.raw_residuals(1.0)
        (0.0, 1.0)
        """
        difference = real("noise_difference", noise_difference, -np.inf)
        low, high = self.frequent**2, self.hard**2
        kept = np.clip((high - difference) / (low + high), 0.0, 1.0)
        return plain(low * kept), plain(high * (1.0 - kept))


__all__ = ["RareTask"]
