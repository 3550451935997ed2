"""A small model and batches of samples with task ids."""

from __future__ import annotations

import torch

N_TASKS = 3


def network(dtype=torch.float64, dropout=0.0):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(8, 1)).to(dtype)


def batch(seed, n=20, dtype=torch.float64, ignored=0.2):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=dtype)
    ids = torch.randint(0, N_TASKS, (n,), generator=generator)
    y = x.sum(-1) + ids + torch.randn(n, generator=generator, dtype=dtype)
    return x, y, torch.where(torch.rand(n, generator=generator) < ignored, -100, ids)


def sample_losses(net, x, y):
    return (net(x).squeeze(-1) - y).square()


def gradient(net):
    return torch.cat([p.grad.flatten() for p in net.parameters()])


def memory(criterion):
    """All that the adversary remembers."""
    return {name: value.clone() for name, value in criterion.adversary.state_dict().items() if isinstance(value, torch.Tensor)}


def same_memory(a, b):
    a, b = (m if isinstance(m, dict) else memory(m) for m in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
