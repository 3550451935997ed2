"""A subset of the tasks is a family of its own; products with the Hessian are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, SIZES, as_torch, lists

import minimax_opt as mo
from minimax_opt.arrays import to_host
from minimax_opt.tasks import LeastSquaresTasks

RNG = np.random.default_rng(5)
X, V = RNG.standard_normal((2, N_VARIABLES))


def families():
    for family in FAMILIES:
        for name, sizes in SIZES.items():
            A, b, s = lists(sizes, family)
            yield pytest.param(family(A, b, s), id=f"{family.__name__}, {name}")
        A, b, s = lists(SIZES["unequal"], family)
        yield pytest.param(family(as_torch(A), as_torch(b)), id=f"{family.__name__}, torch")
    matrix = RNG.standard_normal((7, N_VARIABLES))
    yield pytest.param(mo.AffineTasks(matrix, RNG.standard_normal(7)), id="affine")
    yield pytest.param(mo.AffineTasks(torch.tensor(matrix), torch.ones(7, dtype=torch.float64)), id="affine, torch")
    yield pytest.param(mo.ChebyshevTasks(matrix, RNG.standard_normal(7)), id="Chebyshev")
    yield pytest.param(mo.ChebyshevTasks(torch.tensor(matrix), torch.ones(7, dtype=torch.float64)), id="Chebyshev, torch")
    factors = RNG.standard_normal((4, N_VARIABLES, N_VARIABLES))
    yield pytest.param(mo.QuadraticTasks(factors @ factors.swapaxes(1, 2), factors[:, 0], factors[:, 0, 0]), id="quadratic")


ALL = pytest.mark.parametrize("tasks", list(families()))


@ALL
def test_a_subset_has_the_losses_and_derivatives_of_its_tasks(tasks):
    indices = np.random.default_rng(1).permutation(tasks.n_tasks)[: max(tasks.n_tasks // 2, 1)]
    part, x = tasks.subset(indices), tasks.space.asarray(X)
    assert (part.n_tasks, part.convex, part.curvature) == (len(indices), True, tasks.curvature)
    np.testing.assert_allclose(to_host(part.at(x).losses), to_host(tasks.at(x).losses)[indices], rtol=1e-12)
    np.testing.assert_allclose(to_host(part.at(x).jacobian()), to_host(tasks.at(x).jacobian())[indices], rtol=1e-12)
    few = np.random.default_rng(2).dirichlet(np.ones(len(indices)))
    weights = np.zeros(tasks.n_tasks)
    weights[indices] = few
    ours, whole = (to_host(t.at(x).hessian(tasks.space.asarray(w))) for t, w in ((part, few), (tasks, weights)))
    np.testing.assert_allclose(ours, whole, rtol=1e-10, atol=1e-13)


def test_a_subset_keeps_the_names_and_leaves_the_kept_gram_matrices_behind():
    A, b, _ = lists((20, 20, 20), LeastSquaresTasks)
    tasks = LeastSquaresTasks.from_groups(np.concatenate(A), np.concatenate(b), np.repeat(["a", "b", "c"], 20))
    tasks.at(X).hessian(np.ones(3) / 3)
    part = tasks.subset(np.array([2, 0]))
    assert part.task_names == ["c", "a"]
    one = np.array([1.0, 0.0])
    np.testing.assert_allclose(part.at(X).hessian(one), tasks.at(X).hessian(np.array([0.0, 0.0, 1.0])), rtol=1e-12)


def test_tasks_without_subsets_say_so():
    tasks = mo.TorchTasks(lambda x: x, n_variables=2)
    assert not tasks.has_subset
    with pytest.raises(NotImplementedError, match="subset"):
        tasks.subset(np.array([0]))


@ALL
def test_products_are_those_of_the_hessian(tasks):
    for weights in (np.random.default_rng(3).dirichlet(np.ones(tasks.n_tasks)), np.eye(tasks.n_tasks)[-1]):
        w, evaluation = tasks.space.asarray(weights), tasks.at(tasks.space.asarray(X))
        expected = to_host(evaluation.hessian(w)) @ V
        np.testing.assert_allclose(
            to_host(evaluation.hessian_product(w, tasks.space.asarray(V))), expected, rtol=1e-10, atol=1e-12
        )


def test_products_of_a_torch_function_are_those_of_its_hessian():
    tasks = mo.TorchTasks(lambda x: torch.stack([x.sum(), (x**3).sum(), x[0] * x[1]]), n_variables=3, hessian=True)
    x, v = torch.tensor(X[:3]), torch.tensor(V[:3])
    for weights in torch.eye(3, dtype=torch.float64):
        evaluation = tasks.at(x)
        torch.testing.assert_close(evaluation.hessian_product(weights, v), evaluation.hessian(weights) @ v)


@ALL
def test_third_derivatives_obey_their_bound(tasks):
    """|D^3 F_w[h,h,h]| <= T |h| D^2 F_w[h,h], the third derivative by a difference of second ones."""
    weights = tasks.space.asarray(np.random.default_rng(4).dirichlet(np.ones(tasks.n_tasks)))
    bound, step = tasks.at(tasks.space.asarray(X)).third_derivative_bound(weights), 1e-5
    for h in np.random.default_rng(6).standard_normal((20, N_VARIABLES)):

        def second(x, h=h):
            h = tasks.space.asarray(h)
            return float(h @ tasks.at(tasks.space.asarray(x)).hessian_product(weights, h))

        third = (second(X + step * h) - second(X - step * h)) / (2 * step)
        assert abs(third) <= bound * np.linalg.norm(h) * second(X) + 1e-5 * (1 + second(X))
