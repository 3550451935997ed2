"""Projections onto the simplex. Data are spread out (gauss: few entries in the support), close (dense: most of them), or tied."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.kernels.simplex_peers import PACKAGES, PEERS, textbook
from benchmarks.kernels.suite import Case, Inputs, Run, Target
from minimax_kernels.simplex import reference
from minimax_opt.ops import project_capped_simplex, project_simplex

# To reach on a CPU: how many times faster than every package. Ahead of numba's Condat wherever there is a target.
RATIOS = {(256, 1024): 3.0, (4096, 128): 3.0, (1, 100_000): 10.0, (4096, 4): 1.0}
CPU = [*RATIOS, (1, 4), (1, 32), (1, 1000), (4096, 16), (64, 10_000)]
CUDA = [(1, 8), (1, 1024), (1, 131_072), (1, 1_000_000), (65536, 128), (65536, 1024), (4096, 16384), (256, 100_000)]
CAP = 4.0  # times the uniform weight


def rows(seed: int, device: torch.device, n: int, length: int, kind: str) -> Inputs:
    drawn_on = device if device.type == "cuda" else torch.device("cpu")  # one host thread would take seconds for the largest

    def normal(seed: int) -> Tensor:
        return torch.randn(n, length, generator=torch.Generator(drawn_on).manual_seed(seed), device=drawn_on)

    noise = normal(seed)
    v = {"gauss": noise, "dense": noise / length, "ties": noise.round()}[kind]
    return {"v": v, "upstream": normal(seed + 1)}


def ours(inputs: Inputs) -> Run:
    return lambda: project_simplex(inputs["v"])


def ours_in_torch(inputs: Inputs) -> Run:
    return lambda: project_simplex(inputs["v"], backend="torch")


def ours_capped(inputs: Inputs) -> Run:
    cap = CAP / inputs["v"].shape[-1]
    return lambda: project_capped_simplex(inputs["v"], cap)


def ours_capped_in_torch(inputs: Inputs) -> Run:
    cap = CAP / inputs["v"].shape[-1]
    return lambda: project_capped_simplex(inputs["v"], cap, backend="torch")


def bisection(inputs: Inputs) -> Run:
    """What one writes in torch: 50 halvings."""
    cap = CAP / inputs["v"].shape[-1]

    def run() -> Tensor:
        v = inputs["v"]
        low, high = v.amin(-1, keepdim=True) - cap, v.amax(-1, keepdim=True)
        for _ in range(50):
            tau = (low + high) / 2
            large = (v - tau).clamp(0.0, cap).sum(-1, keepdim=True) > 1.0
            low, high = torch.where(large, tau, low), torch.where(large, high, tau)
        return (v - high).clamp(0.0, cap)

    return run


def gradient(project: Callable[[Tensor], Tensor], inputs: Inputs) -> Run:
    x = inputs["v"].clone().requires_grad_()
    return lambda: torch.autograd.grad(project(x), x, inputs["upstream"])[0]


def entmax_gradient(inputs: Inputs) -> Run:
    from entmax import sparsemax

    return gradient(sparsemax, inputs)


def true_gradient(inputs: Inputs) -> Tensor:
    inside = reference.project_simplex(inputs["v"]) > 0
    g = torch.where(inside, inputs["upstream"].double(), 0.0)
    return torch.where(inside, g - g.sum(-1, keepdim=True) / inside.sum(-1, keepdim=True), 0.0)


def forward(n: int, length: int, kind: str, on: tuple[str, ...], quick: bool = False) -> Case:
    ratio = RATIOS.get((n, length)) if kind != "ties" and "cpu" in on else None
    targets = (*(Target(ratio, name) for name in PACKAGES), Target(1.0, "numba Condat")) if ratio else ()
    return Case(
        name=f"project_simplex {n}x{length} {kind}",
        make=lambda seed, device: rows(seed, device, n, length, kind),
        contenders={"ours": ours, "ours in torch": ours_in_torch, **PEERS},
        reference=lambda inputs: reference.project_simplex(inputs["v"]),
        on=on,
        shape={"rows": n, "length": length, "dtype": "float32", "data": kind},
        bytes_moved=8.0 * n * length,
        targets=targets,
        quick=quick,
    )


def backward(n: int, length: int) -> Case:
    return Case(
        name=f"project_simplex and its gradient {n}x{length} gauss",
        make=lambda seed, device: rows(seed, device, n, length, "gauss"),
        contenders={
            "ours": partial(gradient, project_simplex),
            "torch sort": partial(gradient, textbook),
            "entmax": entmax_gradient,
        },
        reference=true_gradient,
        shape={"rows": n, "length": length, "dtype": "float32", "data": "gauss"},
        bytes_moved=20.0 * n * length,
    )


def capped(n: int, length: int) -> Case:
    return Case(
        name=f"project_capped_simplex {n}x{length} gauss",
        make=lambda seed, device: rows(seed, device, n, length, "gauss"),
        contenders={"ours": ours_capped, "ours in torch": ours_capped_in_torch, "torch bisection": bisection},
        reference=lambda inputs: reference.project_capped_simplex(
            inputs["v"], torch.full((length,), CAP / length, device=inputs["v"].device)
        ),
        shape={"rows": n, "length": length, "dtype": "float32", "data": "gauss"},
        bytes_moved=8.0 * n * length,
    )


CASES = [
    forward(16, 64, "gauss", ("interpreter",), quick=True),
    *(forward(n, length, kind, ("cpu",), quick=(n, length) == (4096, 4)) for n, length in CPU for kind in ("gauss", "dense")),
    *(forward(n, length, kind, ("cuda",)) for n, length in CUDA for kind in ("gauss", "dense", "ties")),
    *(backward(n, length) for n, length in ((4096, 128), (256, 1024))),
    *(capped(n, length) for n, length in ((1, 8), (4096, 128), (1, 100_000))),
]
