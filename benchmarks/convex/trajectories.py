"""First-order and stochastic methods of others, iteration by iteration, on the losses in torch (min_x max_k f_k(x) + ridge only).

Each is a function ``(data, step) -> iterator``: every item is the value of an iterate, or its x where the value is not known without another
pass, and the cost of the iteration in passes over all rows (forward and backward together are one).

`cooper` states min_{x,t} t subject to f_k(x) <= t and moves x, t and the multipliers by its Lagrangian optimisers. `torchjd` does not state the
minimax problem as such: its smooth Tchebycheff scalarisation is the paper's smoothed maximum; its aggregators of Jacobians, MGDA among them,
look for Pareto-stationary points, which need not be minimax. Both run as they would in someone's training loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.convex.data import Data

BATCH = 16  # rows of each task
LEVEL_STEP, MULTIPLIER_STEP = 0.01, 0.1  # of cooper's t and multipliers, the best of {0.001, 0.01, 0.1, 1}^2 on lsq_K20_n50_m200


class Item(NamedTuple):
    """One iteration: `value` of the objective, or the `x` to be judged off the clock."""

    passes: float
    value: float | None = None
    x: Tensor | None = None


class Losses:
    """f(x) in torch, and its penalty."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.A, self.b = torch.from_numpy(np.ascontiguousarray(data.A)), torch.from_numpy(data.b)
        self.sizes = torch.from_numpy(data.sizes)
        self.task = torch.repeat_interleave(torch.arange(data.n_tasks), self.sizes)

    def rows(self, z: Tensor, b: Tensor) -> Tensor:
        if self.data.loss == "affine":
            return z - b
        if self.data.loss == "least squares":
            return (z - b) ** 2
        if self.data.loss == "logistic":
            return torch.nn.functional.softplus(-b * z)
        raise ValueError(f"no torch form of the {self.data.loss} loss here")

    def __call__(self, x: Tensor) -> Tensor:
        rows = self.rows(self.A @ x, self.b)
        if len(rows) == self.data.n_tasks:
            return rows
        return torch.zeros(self.data.n_tasks, dtype=rows.dtype).index_add(0, self.task, rows) / self.sizes

    def penalty(self, x: Tensor) -> Tensor:
        return self.data.ridge / 2 * (x @ x)

    def value(self, losses: Tensor, x: Tensor) -> float:
        return float(losses.detach().max()) + float(self.penalty(x.detach()))

    def sample(self, generator: torch.Generator) -> Tensor:
        """Indices of `BATCH` rows of each task."""
        starts = torch.from_numpy(self.data.starts[:-1])[:, None]
        return starts + (torch.rand(self.data.n_tasks, BATCH, generator=generator) * self.sizes[:, None]).long()


def _start(data: Data) -> Tensor:
    return torch.zeros(data.n_variables, dtype=torch.float64, requires_grad=True)


def subgradient(data: Data, step: float) -> Iterator[Item]:
    """x -= step / sqrt(t) * the gradient of the worst task."""
    f, x = Losses(data), _start(data)
    t = 0
    while True:
        t += 1
        losses = f(x)
        (gradient,) = torch.autograd.grad(losses.max() + f.penalty(x), x)
        yield Item(1.0, f.value(losses, x))
        with torch.no_grad():
            x -= step / np.sqrt(t) * gradient


def group_dro(data: Data, step: float, rate: float = 0.1) -> Iterator[Item]:
    """Group DRO in full batches: q ~ q exp(rate f / max f), then a gradient step on q'f (Sagawa et al., 2020)."""
    f, x = Losses(data), _start(data)
    logits = torch.zeros(data.n_tasks, dtype=torch.float64)
    while True:
        losses = f(x)
        logits = torch.log_softmax(logits + rate * losses.detach() / max(float(losses.detach().max()), 1e-300), 0)
        (gradient,) = torch.autograd.grad(logits.exp() @ losses + f.penalty(x), x)
        yield Item(1.0, f.value(losses, x))
        with torch.no_grad():
            x -= step * gradient


def group_dro_batches(data: Data, step: float, rate: float = 0.1) -> Iterator[Item]:
    """The same with rows drawn from each task, steps and rates falling as 1/sqrt(t)."""
    f, x = Losses(data), _start(data)
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(data.n_tasks, dtype=torch.float64)
    passes, t = BATCH * data.n_tasks / data.n_rows, 0
    while True:
        t += 1
        index = f.sample(generator)
        losses = f.rows(f.A[index] @ x, f.b[index]).mean(1)
        logits = torch.log_softmax(logits + rate / np.sqrt(t) * losses.detach() / max(float(losses.detach().max()), 1e-300), 0)
        (gradient,) = torch.autograd.grad(logits.exp() @ losses + f.penalty(x), x)
        with torch.no_grad():
            x -= step / np.sqrt(t) * gradient
        yield Item(passes, None, x)


def torchjd_stch(data: Data, step: float) -> Iterator[Item]:
    """torchjd's smooth Tchebycheff scalarisation, weights one, minimised by Adam; its smoothing is 1e-4 of the first worst loss."""
    from torchjd.scalarization import STCH

    f, x = Losses(data), _start(data)
    top = float(f(x).detach().max())
    scalarisation = STCH(mu=1e-4 * top, weights=torch.ones(data.n_tasks, dtype=torch.float64))
    optimizer = torch.optim.Adam([x], lr=step)
    while True:
        optimizer.zero_grad()
        losses = f(x)
        (scalarisation(losses) + f.penalty(x)).backward()
        yield Item(1.0, f.value(losses, x))
        optimizer.step()


def torchjd_mgda(data: Data, step: float) -> Iterator[Item]:
    """torchjd's Jacobian descent with MGDA, by SGD: a Pareto-stationary point is what it looks for."""
    from torchjd.aggregation import MGDA
    from torchjd.autojac import backward, jac_to_grad

    f, x = Losses(data), _start(data)
    optimizer, aggregator = torch.optim.SGD([x], lr=step), MGDA()
    while True:
        optimizer.zero_grad()
        losses = f(x)
        backward(losses + f.penalty(x))
        jac_to_grad([x], aggregator)
        yield Item(1.0, f.value(losses, x))
        optimizer.step()


def cooper(data: Data, step: float, optimiser: str = "SimultaneousOptimizer") -> Iterator[Item]:
    """cooper on min t subject to f_k(x) <= t: SGD on (x, t), projected gradient ascent on the multipliers."""
    import cooper as library

    f = Losses(data)
    x = torch.nn.Parameter(_start(data).detach())
    level = torch.nn.Parameter(f(x).detach().max())

    class Epigraph(library.ConstrainedMinimizationProblem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            multiplier = library.multipliers.DenseMultiplier(
                init=torch.full((data.n_tasks,), 1.0 / data.n_tasks), dtype=torch.float64
            )
            self.tasks = library.Constraint(
                constraint_type=library.ConstraintType.INEQUALITY,
                multiplier=multiplier,
                formulation_type=library.formulations.Lagrangian,
            )

        def compute_cmp_state(self) -> Any:
            state = library.ConstraintState(violation=f(x) - level)
            return library.CMPState(loss=level + f.penalty(x), observed_constraints={self.tasks: state})

    problem = Epigraph()
    kind = getattr(library.optim, optimiser)
    sgd: Any = library.optim.ExtraSGD if optimiser == "ExtrapolationConstrainedOptimizer" else torch.optim.SGD
    scale = float(level.detach())  # steps in t and in the multipliers have units: that of the losses, and one over it
    primal = [{"params": [x], "lr": step}, {"params": [level], "lr": LEVEL_STEP * scale}]
    steps = kind(
        cmp=problem,
        primal_optimizers=sgd(primal, lr=step),
        dual_optimizers=sgd(problem.dual_parameters(), lr=MULTIPLIER_STEP / scale, maximize=True),
    )
    passes = 1.0 if optimiser == "SimultaneousOptimizer" else 2.0
    while True:
        steps.roll()
        yield Item(passes, None, x)


def cooper_extragradient(data: Data, step: float) -> Iterator[Item]:
    """cooper's extrapolation."""
    return cooper(data, step, "ExtrapolationConstrainedOptimizer")


THEIRS: dict[
    str, tuple[Callable[[Data, float], Iterator[Item]], bool]
] = {  # and whether the step is a length (Adam), not one over a curvature
    "torch subgradient": (subgradient, False),
    "torch group DRO": (group_dro, False),
    "torch group DRO, batches": (group_dro_batches, False),
    "torchjd STCH, Adam": (torchjd_stch, True),
    "torchjd MGDA": (torchjd_mgda, False),
    "cooper": (cooper, False),
    "cooper extragradient": (cooper_extragradient, False),
}

ADVERSARIES = ("torch group DRO", "torch group DRO, batches")  # those that take a rate of the weights too
