"""Data in torch stay on their device: only what has the size of K, n, K x n or n x n crosses to the host.

Every crossing is a call of ``Tensor.cpu``, also for tensors that are on the CPU, so that the tests say the same without a GPU.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, as_torch, lists

import minimax_opt as mo
from minimax_opt.tasks import AffineTasks, LeastSquaresTasks, LogisticTasks

DEVICE = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
SIZES = (300, 500, 400)
LARGEST = len(SIZES) * N_VARIABLES**2  # K Hessians


@pytest.fixture
def crossings(monkeypatch):
    """The number of entries of each tensor that was brought to the host."""
    sizes, original = [], torch.Tensor.cpu

    def cpu(self, *args, **kwargs):
        sizes.append(self.numel())
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    return sizes


def on_device(family, device, dtype=torch.float64, sparse=False, weighted=False):
    A, b, s = lists(SIZES, family)
    A = [torch.as_tensor(a, dtype=dtype, device=device) for a in A]
    if sparse:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            A = [a.to_sparse_csr() for a in A]
    b, s = ([torch.as_tensor(part, dtype=dtype, device=device) for part in parts] for parts in (b, s))
    return family(A, b, s if weighted else None)


METHODS = ["auto", "interior-point", "sqp", "accelerated", "dual-newton"]


@DEVICE
@pytest.mark.parametrize("kind", ["dense", "weighted", "sparse", "float32"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", [LeastSquaresTasks, LogisticTasks])
def test_solving_leaves_the_data_where_they_are(family, method, kind, device, crossings, monkeypatch):
    if method == "dual-newton" and family is LogisticTasks:
        pytest.skip("quadratic tasks only")
    monkeypatch.setattr("minimax_opt.tasks.row_data.WIDEN_ENTRIES", 0)
    dtype = torch.float32 if kind == "float32" else torch.float64
    tasks = on_device(family, device, dtype, kind == "sparse", kind == "weighted")
    x0 = torch.zeros(N_VARIABLES, dtype=torch.float64, device=device)
    res = mo.minimize_max(tasks, x0, method=method, regularizer=mo.Ridge(1e-2), tol=1e-6)
    assert res.success
    assert {part.device.type for part in (res.x, res.losses, res.weights)} == {device}
    assert max(crossings, default=0) <= LARGEST
    A, b, s = lists(SIZES, family)
    if dtype == torch.float32:
        A, b = ([part.astype(np.float32) for part in parts] for parts in (A, b))
    host = mo.minimize_max(family(A, b, s if kind == "weighted" else None), regularizer=mo.Ridge(1e-2), tol=1e-9)
    assert res.fun == pytest.approx(host.fun, rel=2e-6)
    assert res.lower_bound <= host.fun * (1 + 1e-12)


@DEVICE
@pytest.mark.parametrize("family", FAMILIES)
def test_derivatives_leave_the_data_where_they_are(family, device, crossings):
    tasks = on_device(family, device)
    x, w = tasks.space.zeros(N_VARIABLES) + 0.1, tasks.space.zeros(len(SIZES)) + 1 / len(SIZES)
    evaluation = tasks.at(x)
    found = [
        evaluation.losses,
        evaluation.gradient(w),
        evaluation.jacobian(),
        evaluation.hessian(w),
        evaluation.hessian_product(w, x),
    ]
    assert {part.device.type for part in found} == {device}
    assert evaluation.self_concordance(w, np.eye(N_VARIABLES)) >= 0
    assert evaluation.third_derivative_bound(w) >= 0
    assert max(crossings, default=0) <= LARGEST


@DEVICE
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_affine_tasks_on_a_device(sparse, device):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((40, 4)), rng.standard_normal(40)
    A -= rng.dirichlet(np.ones(40)) @ A
    there = torch.as_tensor(A, device=device)
    tasks = AffineTasks(there.to_sparse() if sparse else there, torch.as_tensor(b, device=device))
    res, host = mo.minimize_max(tasks, tol=1e-9), mo.minimize_max(AffineTasks(A, b), tol=1e-9)
    assert res.x.device.type == device
    assert res.success
    assert res.fun == pytest.approx(host.fun, rel=1e-8)


@DEVICE
def test_the_same_input_gives_the_same_bits(device):
    """Sparse products, too: no sum depends on the order in which threads finish."""
    A, b, _ = lists(SIZES, LogisticTasks)
    A = [np.where(np.random.default_rng(0).random(a.shape) < 0.4, a, 0.0) for a in A]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sparse = [part.to(device).to_sparse_csr() for part in as_torch(A)]
    tasks = LogisticTasks(sparse, [part.to(device) for part in as_torch(b)])
    x, w = tasks.space.zeros(N_VARIABLES) + 0.3, tasks.space.zeros(len(SIZES)) + 1 / 3
    first, again = tasks.at(x), tasks.at(x)
    for mine, other in zip(
        (first.losses, first.gradient(w), first.jacobian()), (again.losses, again.gradient(w), again.jacobian()), strict=True
    ):
        assert torch.equal(mine, other)
