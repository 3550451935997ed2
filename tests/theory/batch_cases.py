"""Random finite models, and expectations over all their batches one by one: the reference of `expected_batch`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax


@dataclass(frozen=True)
class Model:
    """Losses (K, m) and gradients (K, m, n) of the samples at one x, B and s."""

    losses: np.ndarray
    gradients: np.ndarray
    batch_size: int
    smoothing: float

    @property
    def n_tasks(self):
        return len(self.losses)

    @property
    def means(self):
        return self.losses.mean(1)

    @property
    def value(self):
        """F_s."""
        return self.smoothing * logsumexp(self.means / self.smoothing)

    @property
    def weights(self):
        return softmax(self.means / self.smoothing)

    @property
    def mean_gradients(self):
        return self.gradients.mean(1)

    @property
    def loss_noise(self):
        """Hoeffding's lemma: half of the longest range."""
        return max(float(np.ptp(self.losses, axis=1).max()) / 2, 1e-12)

    @property
    def gradient_noise(self):
        """The largest of K squares is at most their sum."""
        return float(np.sqrt(self.gradients.var(1).sum()))

    @property
    def diameter(self):
        return float(np.linalg.norm(self.mean_gradients[:, None] - self.mean_gradients, axis=2).max())

    @property
    def lipschitz(self):
        return float(np.linalg.norm(self.gradients, axis=2).max())

    @property
    def noise(self):
        shape = {"batch_size": self.batch_size, "smoothing": self.smoothing, "n_tasks": self.n_tasks}
        return {"loss_noise": self.loss_noise, **shape}


def random_model(seed, most_tasks=3, n_samples=2):
    rng = np.random.default_rng(seed)
    K, size, s = int(rng.integers(1, most_tasks + 1)), int(rng.integers(1, 4)), float(np.exp(rng.uniform(-3, 2)))
    scale = np.exp(rng.uniform(-2, 1, (K, 1)))
    return Model(
        scale * rng.standard_normal((K, n_samples)) + rng.standard_normal((K, 1)), rng.standard_normal((K, n_samples, 2)), size, s
    )


def enumerated(model, together=False):
    """(value, gradient, weights, variance of the gradient) over all batches; `together`: all tasks draw the same indices."""
    K, m = model.losses.shape
    groups = 1 if together else K
    values, gradients, weights = [], [], []
    for drawn in itertools.product(range(m), repeat=groups * model.batch_size):
        index = np.broadcast_to(np.array(drawn).reshape(groups, -1), (K, model.batch_size))
        losses = np.take_along_axis(model.losses, index, 1).mean(1) / model.smoothing
        slopes = np.array([model.gradients[k, index[k]].mean(0) for k in range(K)])
        values.append(model.smoothing * logsumexp(losses))
        weights.append(softmax(losses))
        gradients.append(weights[-1] @ slopes)
    gradients = np.array(gradients)
    variance = ((gradients - gradients.mean(0)) ** 2).sum(1).mean()
    return np.mean(values), gradients.mean(0), np.mean(weights, axis=0), variance
