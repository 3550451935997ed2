"""check_jacobian finds wrong derivatives and clears right ones, whatever their scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from minimax_opt.tasks import TorchTasks, check_jacobian

X = np.random.default_rng(0).standard_normal(6)
A = np.random.default_rng(1).standard_normal((4, 6))


def fun(x):
    return np.exp(A @ x / 4) + A @ np.cos(x)


def jac(x):
    return np.exp(A @ x / 4)[:, None] * A / 4 - A * np.sin(x)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_right_jacobians_pass(scale, offset, size):
    assert check_jacobian(lambda x: scale * (fun(x / size) + offset), size * X, lambda x: scale * jac(x / size) / size) < 1e-6


ERRORS = {
    "sign": lambda J: -J,
    "factor": lambda J: 2 * J,
    "one task": lambda J: J * np.array([1, 1, 1, 1.01])[:, None],
    "one entry": lambda J: J + np.eye(4, 6, 2) * np.array([0, 1, 0, 0])[:, None] * 0.1 * np.abs(J).max(),
    "zero": lambda J: 0 * J,
    "swapped tasks": lambda J: J[::-1],
}


@pytest.mark.parametrize("spoil", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("seed", range(3))
def test_wrong_jacobians_are_found(spoil, seed):
    assert check_jacobian(fun, X, lambda x: spoil(jac(x)), seed=seed) > 1e-3


def test_a_stationary_point_passes():
    assert check_jacobian(lambda x: np.array([1.0 + x @ x]), np.zeros(3), lambda x: 2 * x[None]) < 1e-6


def test_losses_that_are_nan_give_nan():
    assert np.isnan(check_jacobian(lambda x: np.array([np.nan * x[0]]), np.ones(2), lambda x: np.ones((1, 2))))


def test_torch_functions_in_both_precisions():
    tasks = TorchTasks(lambda x: torch.stack([x.exp().sum(), x.sin().sum()]))
    assert check_jacobian(tasks, torch.tensor(X)) < 1e-6
    assert check_jacobian(tasks, torch.tensor(X, dtype=torch.float32)) < 1e-2
    assert check_jacobian(lambda x: torch.stack([x.exp().sum(), x.sin().sum()]), torch.tensor(X)) < 1e-6
