"""Who else projects onto the simplex: packages as their users call them, and Condat's algorithm compiled by numba.

Each factory takes the inputs of a case, ``{"v": Tensor}``, and gives the call to measure. Arrays are converted beforehand.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.kernels.suite import Inputs, Run


def textbook(v: Tensor) -> Tensor:
    """By a sort and a cumulative sum, shifted by the largest entry."""
    x = v - v.amax(-1, keepdim=True)
    ordered = x.sort(-1, descending=True).values
    sums = ordered.cumsum(-1) - 1.0
    ranks = torch.arange(1, v.shape[-1] + 1, dtype=v.dtype, device=v.device)
    size = (ranks * ordered > sums).sum(-1, keepdim=True)
    return (x - sums.gather(-1, size - 1) / size).clamp(min=0.0)


def torch_sort(inputs: Inputs) -> Run:
    return lambda: textbook(inputs["v"])


def torch_compile(inputs: Inputs) -> Run:
    torch.compiler.reset()  # one shape a case; torch gives up after eight
    function = torch.compile(textbook, dynamic=False)
    return lambda: function(inputs["v"])


def entmax(inputs: Inputs) -> Run:
    from entmax import sparsemax

    return lambda: sparsemax(inputs["v"], dim=-1)


def entmax_top(inputs: Inputs) -> Run:
    from entmax import sparsemax

    k = min(128, inputs["v"].shape[-1])
    return lambda: sparsemax(inputs["v"], dim=-1, k=k)


def entmax_bisect(inputs: Inputs) -> Run:
    from entmax import sparsemax_bisect

    return lambda: sparsemax_bisect(inputs["v"], dim=-1)


def pot(inputs: Inputs) -> Run:
    _on_cpu(inputs)
    from ot.utils import proj_simplex

    columns = inputs["v"].numpy().T
    return lambda: proj_simplex(columns).T


def jaxopt(inputs: Inputs) -> Run:
    _on_cpu(inputs)
    import jax
    from jaxopt.projection import projection_simplex

    return _jax(jax, projection_simplex, inputs)


def optax(inputs: Inputs) -> Run:
    _on_cpu(inputs)
    import jax
    from optax.projections import projection_simplex

    return _jax(jax, projection_simplex, inputs)


def liger(inputs: Inputs) -> Run:
    if not inputs["v"].is_cuda:
        raise NotImplementedError("on CUDA only")
    from liger_kernel.ops.sparsemax import LigerSparsemaxFunction

    return lambda: LigerSparsemaxFunction.apply(inputs["v"], -1)


def numba_condat(inputs: Inputs) -> Run:
    _on_cpu(inputs)
    import numba
    import numpy as np

    @numba.njit  # type: ignore[untyped-decorator]
    def project(y: Any, w: Any, kept: Any, waiting: Any) -> None:
        for row in range(y.shape[0]):
            size, late = 1, 0
            kept[0] = y[row, 0]
            tau = y[row, 0] - 1.0
            for k in range(1, y.shape[1]):
                entry = y[row, k]
                if entry > tau:
                    tau += (entry - tau) / (size + 1)
                    if tau <= entry - 1.0:  # what was kept may have to go
                        waiting[late : late + size] = kept[:size]
                        late += size
                        size = 0
                        tau = entry - 1.0
                    kept[size] = entry
                    size += 1
            for k in range(late):
                if waiting[k] > tau:
                    kept[size] = waiting[k]
                    size += 1
                    tau += (waiting[k] - tau) / size
            before = -1
            while before != size:
                before, size = size, 0
                left = before
                for k in range(before):
                    if kept[k] <= tau:
                        left -= 1
                        tau += (tau - kept[k]) / left
                    else:
                        kept[size] = kept[k]
                        size += 1
            for k in range(y.shape[1]):
                w[row, k] = max(y[row, k] - tau, 0.0)

    v = inputs["v"].numpy()
    kept, waiting = np.empty(v.shape[1]), np.empty(v.shape[1])

    def run() -> Any:
        w = np.empty_like(v)
        project(v, w, kept, waiting)
        return w

    return run


def _jax(jax: Any, function: Any, inputs: Inputs) -> Run:
    jax.config.update("jax_platforms", "cpu")
    rows, projected = jax.numpy.asarray(inputs["v"].numpy()), jax.jit(jax.vmap(function))
    return lambda: jax.block_until_ready(projected(rows))


def _on_cpu(inputs: Inputs) -> None:
    if inputs["v"].is_cuda:
        raise NotImplementedError("on a CPU only")


PEERS = {
    "torch sort": torch_sort,
    "torch.compile": torch_compile,
    "entmax": entmax,
    "entmax top 128": entmax_top,
    "entmax bisect": entmax_bisect,
    "POT": pot,
    "jaxopt": jaxopt,
    "optax": optax,
    "Liger": liger,
    "numba Condat": numba_condat,
}
PACKAGES = ("torch sort", "entmax", "entmax top 128", "entmax bisect", "POT", "jaxopt", "optax")
