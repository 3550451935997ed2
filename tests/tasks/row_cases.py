"""Small random row problems that the tests of the row families share."""

from __future__ import annotations

import numpy as np
import torch

from minimax_opt.tasks import HuberTasks, LeastSquaresTasks, LogisticTasks, PoissonTasks

FAMILIES = (LeastSquaresTasks, LogisticTasks, HuberTasks, PoissonTasks)
SMOOTH = (LeastSquaresTasks, LogisticTasks, PoissonTasks)  # whose third derivatives are bounded by the second
SIZES = {
    "equal": (6, 6, 6),
    "unequal": (3, 9, 5),
    "single rows": (1, 1, 1, 1),
    "one task": (8,),
    "many unequal": tuple(1 + k % 4 for k in range(40)),
    "unequal, long rows": (900, 1100, 1000),
}
N_VARIABLES = 5


def lists(sizes, family, seed=0):
    """(list_of_A, list_of_b, sample_weights) of random data; labels in {0, 1} for logistic tasks, counts for Poisson tasks."""
    rng = np.random.default_rng(seed)
    A = [rng.standard_normal((m, N_VARIABLES)) for m in sizes]
    b = [rng.standard_normal(m) for m in sizes]
    if family is LogisticTasks:
        b = [(v > 0).astype(float) for v in b]
    if family is PoissonTasks:
        b = [np.floor(np.abs(2 * v)) for v in b]
    s = [rng.random(m) + 0.1 for m in sizes]
    for part in s:
        part[: len(part) // 3] = 0.0  # rows of weight zero must be harmless
    return A, b, s


def as_torch(parts, dtype=torch.float64):
    return None if parts is None else [torch.as_tensor(part, dtype=dtype) for part in parts]


def reference_losses(family, A, b, s, x):
    """The K losses in plain torch, from the definition."""
    losses = []
    for k, (A_k, b_k) in enumerate(zip(A, b, strict=True)):
        z, b_k = torch.as_tensor(A_k) @ x, torch.as_tensor(b_k)
        c = torch.ones_like(z) if s is None else torch.as_tensor(s[k])
        if family is LogisticTasks:
            values = torch.nn.functional.binary_cross_entropy_with_logits(z, b_k, reduction="none")
        elif family is HuberTasks:
            values = torch.nn.functional.huber_loss(z, b_k, reduction="none", delta=1.0)
        elif family is PoissonTasks:
            values = torch.nn.functional.poisson_nll_loss(z, b_k, log_input=True, full=False, reduction="none")
        else:
            values = (z - b_k) ** 2
        losses.append((c * values).sum() / c.sum())
    return torch.stack(losses)
