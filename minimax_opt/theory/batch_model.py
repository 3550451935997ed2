r"""Tasks with finitely many samples, on which everything that a mini-batch does in expectation is a number and not an estimate.

For independent tasks and S = sum_k exp(hat f_k/s), Frullani's integral gives

.. math:: \ln S = \int_0^\infty \frac{e^{-t} - e^{-tS}}{t} dt, \qquad \frac1S = \int_0^\infty e^{-tS} dt,
          \qquad E e^{-tS} = \prod_k E \exp(-t e^{\hat f_k/s}),

so that F^B_s = s E ln S and its gradient are single integrals for any number of tasks. With t = e^y the integrands are analytic in the
strip |Im y| < pi/2 and decay on both sides: the trapezoidal rule with step h errs by about exp(-pi^2/h).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.domains import Box
from minimax_opt.tasks import AffineTasks

STEP = 0.2  # of the trapezoidal rule
TAIL = 40.0  # exp(-TAIL) is below rounding
LARGEST = 650.0  # range of the losses over s: e^y must not overflow


class AffineSamples(AffineTasks):
    """Tasks whose samples have affine losses: that of sample i of task k is <slopes[k, i], x> + offsets[k, i].

    Parameters
    ----------
    slopes : array, shape (K, m, n)
    offsets : array, shape (K, m)

    Examples
    --------
    >>> import numpy as np
    >>> tasks = AffineSamples(np.array([[[1.0], [3.0]]]), np.zeros((1, 2)))
    >>> tasks(np.ones(1)).tolist(), tasks.sample(np.random.default_rng(0), 1)(np.ones(1)).tolist() in ([1.0], [3.0])
    ([2.0], True)
    """

    def __init__(self, slopes: Host, offsets: Host) -> None:
        super().__init__(slopes.mean(1), offsets.mean(1))
        self.sample_slopes, self.sample_offsets = slopes, offsets

    def sample(self, generator: np.random.Generator, batch_size: int) -> AffineTasks:
        """The tasks on `batch_size` samples each, drawn with replacement."""
        n_tasks, n_samples = self.sample_offsets.shape
        drawn = np.arange(n_tasks)[:, None], generator.integers(0, n_samples, size=(n_tasks, batch_size))
        return AffineTasks._from_data(self.sample_slopes[drawn].mean(1), self.sample_offsets[drawn].mean(1))

    def at_samples(self, x: Host) -> tuple[Host, Host]:
        """Losses and gradients of all samples at `x`, shapes (K, m) and (K, m, n)."""
        return self.sample_slopes @ x + self.sample_offsets, self.sample_slopes


@dataclass(frozen=True)
class ExpectedBatch:
    """What same-batch softmax weights do in expectation, at one x.

    Attributes
    ----------
    value : float
        F^B_s = E[s ln sum_k exp(hat f_k/s)].
    gradient : array, shape (n,)
        E sum_k hat w_k grad hat f_k, hat w = softmax(hat f/s): the mean step.
    weights : array, shape (K,)
        E hat w: what weights from an independent batch are on average.
    """

    value: float
    gradient: Host
    weights: Host


def expected_batch(
    losses: Sequence[Any], gradients: Sequence[Any], *, batch_size: int | Sequence[int], smoothing: float
) -> ExpectedBatch:
    """Expectations over batches of `batch_size` samples of each task, drawn independently with replacement; exact to rounding.

    Parameters
    ----------
    losses : K arrays, shapes (m_k,)
        Of the samples of each task at x. The number of different batches, (B + m - 1 choose B), should be small.
    gradients : K arrays, shapes (m_k, n)
    batch_size : int or K of them
    smoothing : float
        s, at least 1/650 of the range of the losses.

    Examples
    --------
    >>> import numpy as np
    >>> coin, slopes = np.array([-1.0, 1.0]), np.zeros((2, 1))
    >>> batch = expected_batch([coin, coin], [slopes, slopes], batch_size=1, smoothing=1.0)
    >>> exact = (np.log(np.exp(1) + np.exp(-1)) + np.log(2)) / 2  # two heads and two tails average to ln 2
    >>> abs(round(float(batch.value - exact), 12)), batch.weights.round(12).tolist()
    (0.0, [0.5, 0.5])
    """
    sizes = [batch_size] * len(losses) if isinstance(batch_size, int) else list(batch_size)
    batches = [_batches(len(task), size) for task, size in zip(losses, sizes, strict=True)]
    means = [shares @ np.asarray(task) / smoothing for task, (shares, _) in zip(losses, batches, strict=True)]
    slopes = [shares @ np.asarray(task) for task, (shares, _) in zip(gradients, batches, strict=True)]
    top, bottom = max(m.max() for m in means), max(m.min() for m in means)  # exp(bottom) <= S <= K exp(top)
    if not top - bottom <= LARGEST:
        raise ValueError(f"`smoothing` must be at least 1/{LARGEST:g} of the range of the losses, got {smoothing!r}.")
    y = np.arange(-TAIL - np.log(len(losses)), top - bottom + np.log(TAIL) + STEP, STEP)
    t = np.exp(y)
    survival, tilted, sloped = [], [], []  # E exp(-t e), E e exp(-t e), E e grad exp(-t e) with e = exp(hat f/s - top)
    for mean, slope, (_, probabilities) in zip(means, slopes, batches, strict=True):
        size = np.exp(mean - top)
        decay = np.exp(-np.outer(t, size)) * probabilities
        survival.append(decay.sum(1))
        tilted.append(decay @ size)
        sloped.append(decay @ (size[:, None] * slope))
    others = _products_of_others(np.array(survival))
    every = np.prod(survival, axis=0)
    value = smoothing * float(top + STEP * np.sum(np.exp(-t) - every))
    measure = STEP * t * others
    gradient = sum(measure[k] @ sloped[k] for k in range(len(losses)))
    return ExpectedBatch(value, np.asarray(gradient), np.einsum("kt,kt->k", measure, np.array(tilted)))


def _products_of_others(factors: Host) -> Host:
    """prod_{j != k} factors[j], shape (K, T), without a division."""
    ones = np.ones((1, factors.shape[1]))
    before = np.cumprod(np.vstack([ones, factors[:-1]]), axis=0)
    after = np.cumprod(np.vstack([ones, factors[:0:-1]]), axis=0)[::-1]
    return np.asarray(before * after)


def _batches(n_samples: int, batch_size: int) -> tuple[Host, Host]:
    """The different batches as shares of each sample, shape (C, m), with their multinomial probabilities, shape (C,)."""
    bars = np.array(list(combinations(range(batch_size + n_samples - 1), n_samples - 1)), dtype=int).reshape(-1, n_samples - 1)
    ends = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), batch_size + n_samples - 1)])
    counts = np.diff(ends, axis=1) - 1
    table = np.array([math.lgamma(c + 1) for c in range(batch_size + 1)])
    logs = table[batch_size] - table[counts].sum(1) - batch_size * np.log(n_samples)
    return counts / batch_size, np.exp(logs)


@dataclass(frozen=True)
class NoiseTradeOff:
    r"""A problem on which large and small smoothing both mislead: min over the unit square of max_k f_k, at (0, 2/3), where F = 1/3.

    Two samples a task, of losses ``price u ± noise (1 - u) + c_k(v)`` at x = (u, v), with c_k = 1 - v for the first task and v/2 for the
    others. Noise falls in u while F grows: weights from the same batch pay `price` for less noise. The average falls in v to 0, where F is 1.

    Attributes
    ----------
    n_tasks : int
        K >= 3.
    noise, price : float
        Positive.

    Examples
    --------
    >>> import numpy as np
    >>> problem = NoiseTradeOff()
    >>> problem.tasks(problem.solution).round(12).tolist() == [round(problem.fun, 12)] * 8
    True
    """

    n_tasks: int = 8
    noise: float = 1.0
    price: float = 0.4
    fun: ClassVar[float] = 1 / 3
    domain: ClassVar[Box] = Box(0.0, 1.0)

    @property
    def solution(self) -> Host:
        """x*."""
        return np.array([0.0, 2 / 3])

    @property
    def worst_excess(self) -> float:
        """The largest F - F* in the square."""
        return self.price + 1.0 - self.fun

    @cached_property
    def tasks(self) -> AffineSamples:
        """The tasks, which can sample."""
        signs = self.noise * np.array([1.0, -1.0])
        slopes, offsets = np.zeros((self.n_tasks, 2, 2)), np.tile(signs, (self.n_tasks, 1))
        slopes[:, :, 0] = self.price - signs
        slopes[0, :, 1], slopes[1:, :, 1] = -1.0, 0.5
        offsets[0] += 1.0
        return AffineSamples(slopes, offsets)

    def constants(self, x0: Host) -> dict[str, Any]:
        """Smoothness, lipschitz, radius, gradient_noise, loss_noise and n_tasks, as the functions for N2 take them.

        A mean of B fair coins +-1 is sub-Gaussian with proxy 1/B, and the largest square of K of them is at most min(K, 2 (1 + ln 2K))/B in the mean.
        """
        coins = math.sqrt(min(self.n_tasks, 2 * (1 + math.log(2 * self.n_tasks))))
        return {
            "smoothness": 0.0,
            "lipschitz": math.hypot(self.price + self.noise, 1.0),
            "radius": float(np.linalg.norm(x0 - self.solution)),
            "gradient_noise": self.noise * coins,
            "loss_noise": self.noise,
            "n_tasks": self.n_tasks,
        }

    @property
    def diameter(self) -> float:
        """max_jk |grad f_j - grad f_k|."""
        return 1.5

    @property
    def spread(self) -> float:
        """The length of an interval that holds the losses of all samples at one x."""
        return 2 * self.noise + 1.0


__all__ = ["AffineSamples", "ExpectedBatch", "NoiseTradeOff", "expected_batch"]
