"""Small cases for the tests of the kernels' benchmark: a sum and a matrix product, with peers that are right, wrong, absent and broken."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.kernels import measure
from benchmarks.kernels.suite import Case, Target


def make_rows(seed, device):
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(64, 512, generator=generator).to(device)}


def ours(inputs):
    return lambda: (inputs["x"].sum(-1), inputs["x"].amax(-1))


def slow(inputs):
    return lambda: [(inputs["x"].sum(-1), inputs["x"].amax(-1)) for _ in range(20)][-1]


def other_library(inputs):
    x = inputs["x"].numpy()
    return lambda: {"sum": x.sum(-1), "max": np.sort(x, -1)[:, -1]}


def wrong(inputs):
    return lambda: (inputs["x"][:, 0], inputs["x"][:, 0])


def absent(inputs):
    import no_such_package  # noqa: F401

    return lambda: None


def broken(inputs):
    raise RuntimeError("a peer's own trouble")


def reference(inputs):
    x = inputs["x"].double()
    return x.sum(-1), x.amax(-1)


def make_big(seed, device):
    return {"x": torch.ones(2**20, device=device)}


def copies(inputs):
    return lambda: inputs["x"] + inputs["x"].mul(2.0)


def capture(run):
    """Stands in for a graph: every replay writes the same tensors."""
    kept = measure.tensors(run())
    return lambda: [old.copy_(new) for old, new in zip(kept, measure.tensors(run()), strict=True)], kept


CASES = [
    Case(
        "sum and max 64x512",
        make_rows,
        {"ours": ours, "slow": slow, "numpy": other_library, "wrong": wrong, "absent": absent, "broken": broken, "gone": None},
        reference,
        on=("cpu", "interpreter", "cuda"),
        shape={"rows": 64, "length": 512, "dtype": "float32"},
        bytes_moved=64 * 512 * 4,
        targets=(Target(2.0, "slow"), Target(1e9), Target(1.0, "absent")),
        quick=True,
    ),
    Case("a megabyte", make_big, {"ours": copies, "floor": copies}, None, on=("cpu",), bytes_moved=2.0**23),
]
