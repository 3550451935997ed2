"""The minimax objective of a whole step in one process and float64, written from the formulas alone: the truth of the tests."""

from __future__ import annotations

import numpy as np
import torch


class Reference:
    """Softmax or mirror ascent over tasks, with a moving average of the losses; NumPy float64."""

    def __init__(
        self, n_tasks, *, kind="softmax", rate=1.0, when="current", ema=0.0, prior=None, floor=0.0, scale=None, offset=None
    ):
        self.kind, self.rate, self.when, self.ema, self.floor = kind, rate, when, ema, floor
        self.prior = np.full(n_tasks, 1.0 / n_tasks) if prior is None else np.asarray(prior, float) / np.sum(prior)
        self.scale = np.ones(n_tasks) if scale is None else np.asarray(scale, float)
        self.offset = np.zeros(n_tasks) if offset is None else np.asarray(offset, float)
        self.numerator, self.mass = np.zeros(n_tasks), np.zeros(n_tasks)  # of the debiased average
        self.current = self.prior.copy()  # mirror ascent's weights

    def step(self, losses, ids, sample_weights=None):
        """The objective of all samples, differentiable, with constant weights; the adversary moves."""
        n = len(self.prior)
        mass = torch.ones_like(losses) if sample_weights is None else sample_weights
        counts = torch.stack([mass[ids == k].sum() for k in range(n)])
        present = (counts > 0).numpy()
        means = [(mass * losses)[ids == k].sum() / counts[k] if present[k] else None for k in range(n)]
        values = np.array([m.item() if m is not None else 0.0 for m in means])
        if self.when == "lagged":
            weights = self.weights(present)
            self.observe(values, present)
        else:
            self.observe(values, present)
            weights = self.weights(present)
        self.last = weights
        parts = [w / s * m for w, s, m in zip(weights, self.scale, means, strict=True) if m is not None]
        return sum(parts, start=losses.sum() * 0.0)

    def observe(self, values, present):
        self.numerator[present] = self.ema * self.numerator[present] + (1 - self.ema) * values[present]
        self.mass[present] = self.ema * self.mass[present] + (1 - self.ema)
        if self.kind == "mirror" and present.any():
            share = self.current[present].sum()
            q = self.current[present] / share
            score = self.scores()[present]
            q = q * np.exp(self.rate * (score - score.max()))
            q = (1 - self.floor) * q / q.sum() + self.floor * self.prior[present] / self.prior[present].sum()
            self.current[present] = share * q

    def scores(self):
        average = np.divide(self.numerator, self.mass, out=np.zeros_like(self.mass), where=self.mass > 0)
        return (average - self.offset) / self.scale

    def weights(self, present):
        if not present.any():
            return np.zeros_like(self.prior)
        base = np.where(present, self.current if self.kind == "mirror" else self.prior, 0.0)
        base = base / base.sum()
        if self.kind == "mirror":
            return base
        known = present & (self.mass > 0)
        if not known.any():
            return base
        score = self.scores()
        share = base[known].sum()
        q = base[known] * np.exp(self.rate * (score[known] - score[known].max()))
        q = (1 - self.floor) * q / q.sum() + self.floor * base[known] / share
        base[known] = share * q
        return base
