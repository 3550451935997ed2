"""A small regression model in float64, and what each rank sees of it in each step."""

from __future__ import annotations

import torch

N_TASKS, N_STEPS = 4, 3
IMBALANCES = ("uneven ranks", "task on one rank only", "task absent everywhere", "all ignored on a rank")


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()


def sample_losses(output, y):
    return (output.squeeze(-1) - y).square()


def batches(imbalance, world, accumulation, step):
    """By rank and micro-batch: inputs, targets, task ids; the same on every rank that asks."""
    generator = torch.Generator().manual_seed(1000 * step + IMBALANCES.index(imbalance))
    ranks = []
    for rank in range(world):
        micro_batches = []
        for m in range(accumulation):
            n = 6 + 5 * rank + m if imbalance == "uneven ranks" else 9
            x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
            y = x.sum(-1) * (1 + rank / 4) + torch.randn(n, generator=generator, dtype=torch.float64)
            ids = torch.randint(0, N_TASKS, (n,), generator=generator)
            ids[torch.rand(n, generator=generator) < 0.2] = -100
            if imbalance == "task on one rank only" and rank > 0:
                ids[ids == 2] = 0
            if imbalance == "task absent everywhere":
                ids[ids == 3] = 1
            if imbalance == "all ignored on a rank" and rank == 1:
                ids[:] = -100
            micro_batches.append((x, y, ids))
        ranks.append(micro_batches)
    return ranks


def joined(ranks):
    """All of it as one batch."""
    parts = [micro for rank in ranks for micro in rank]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))
