"""Row families: derivatives against autograd, and the identities that certificates rest on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, SIZES, SMOOTH, as_torch, lists, reference_losses

from minimax_opt.arrays import HOST, to_host
from minimax_opt.tasks import LeastSquaresTasks, LogisticTasks, PoissonTasks, check_jacobian

CASES = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
FAMILY = pytest.mark.parametrize("family", FAMILIES)
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted mean"])
X = np.random.default_rng(7).standard_normal(N_VARIABLES)


def build(family, sizes, weighted):
    A, b, s = lists(sizes, family)
    return A, b, s if weighted else None


def simplex_weights(n_tasks, n_zero=0):
    weights = np.random.default_rng(3).dirichlet(np.ones(n_tasks))
    weights[:n_zero] = 0.0
    return weights


@CASES
@FAMILY
@WEIGHTED
def test_derivatives_equal_those_of_autograd(family, sizes, weighted):
    A, b, s = build(family, sizes, weighted)
    x = torch.tensor(X, requires_grad=True)
    evaluation = family(A, b, s).at(X)
    np.testing.assert_allclose(evaluation.losses, reference_losses(family, A, b, s, x).detach(), rtol=1e-12)
    jacobian = torch.autograd.functional.jacobian(lambda y: reference_losses(family, A, b, s, y), x)
    np.testing.assert_allclose(evaluation.jacobian(), jacobian, rtol=1e-10, atol=1e-13)
    n_tasks = len(sizes)
    for weights in (simplex_weights(n_tasks), simplex_weights(n_tasks, n_tasks // 2), np.eye(n_tasks)[-1]):
        w = torch.tensor(weights)
        hessian = torch.autograd.functional.hessian(lambda y, w=w: w @ reference_losses(family, A, b, s, y), x)
        np.testing.assert_allclose(evaluation.gradient(weights), w @ jacobian, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(evaluation.hessian(weights), hessian, rtol=1e-10, atol=1e-13)


@CASES
@FAMILY
@WEIGHTED
def test_torch_data_give_the_same_as_numpy_data(family, sizes, weighted):
    A, b, s = build(family, sizes, weighted)
    host, tensors = family(A, b, s).at(X), family(as_torch(A), as_torch(b), as_torch(s)).at(torch.tensor(X))
    weights = simplex_weights(len(sizes), len(sizes) // 3)
    w = torch.tensor(weights)
    pairs = [
        (host.losses, tensors.losses),
        (host.gradient(weights), tensors.gradient(w)),
        (host.jacobian(), tensors.jacobian()),
        (host.hessian(weights), tensors.hessian(w)),
    ]
    if family in SMOOTH:
        pairs += zip(host.square_root(weights), tensors.square_root(w), strict=True)
    for ours, theirs in pairs:
        assert isinstance(theirs, torch.Tensor)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    factor = np.linalg.cholesky(host.hessian(simplex_weights(len(sizes))) + np.eye(N_VARIABLES))
    np.testing.assert_allclose(host.self_concordance(weights, factor), tensors.self_concordance(w, factor), rtol=1e-10)


@FAMILY
@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
@pytest.mark.parametrize("sizes", [SIZES["equal"], SIZES["unequal"], SIZES["many unequal"]])
def test_float32_stays_float32_where_it_is(family, sizes, device):
    A, b, s = lists(sizes, family)
    exact = family(A, b, s).at(X)
    place = {"dtype": torch.float32, "device": device}
    tasks = family(*([torch.as_tensor(part, **place) for part in parts] for parts in (A, b, s)))
    assert (tasks.space.dtype, tasks.space.device.type) == (torch.float32, device)
    x, w = torch.as_tensor(X, **place), torch.as_tensor(simplex_weights(len(sizes)), **place)
    evaluation = tasks.at(x)
    for ours, theirs in (
        (exact.losses, evaluation.losses),
        (exact.jacobian(), evaluation.jacobian()),
        (exact.gradient(to_host(w)), evaluation.gradient(w)),
        (exact.hessian(to_host(w)), evaluation.hessian(w)),
    ):
        assert (theirs.dtype, theirs.device.type) == (torch.float32, device)
        np.testing.assert_allclose(ours, theirs.cpu(), rtol=1e-4, atol=1e-5)


@CASES
@pytest.mark.parametrize("family", SMOOTH)
@WEIGHTED
def test_square_root_gives_hessian_and_gradient(family, sizes, weighted):
    tasks = family(*build(family, sizes, weighted))
    weights = simplex_weights(len(sizes), len(sizes) // 3)
    evaluation = tasks.at(X)
    B, v, ratios = evaluation.square_root(weights)
    np.testing.assert_allclose(B.T @ B, evaluation.hessian(weights), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(B.T @ v, evaluation.gradient(weights), rtol=1e-10, atol=1e-13)
    assert np.all(ratios == 0) if family is LeastSquaresTasks else np.all(ratios > 0)


def derivatives_along(family, A, b, weights, x, h):
    """The second and third derivative of t -> F_w(x + t h) at 0, by autograd."""
    derivative = lambda f: lambda t: torch.func.grad(f)(t)  # noqa: E731
    along = lambda t: torch.tensor(weights) @ reference_losses(family, A, b, None, torch.tensor(x) + t * torch.tensor(h))  # noqa: E731
    second = derivative(derivative(along))
    zero = torch.zeros((), dtype=torch.float64)
    return float(second(zero)), float(derivative(second)(zero))


@pytest.mark.parametrize("family", [LogisticTasks, PoissonTasks])
@pytest.mark.parametrize("seed", range(20))
def test_third_derivatives_obey_both_bounds(family, seed):
    """Random directions, and the direction of the row with the largest leverage, where the bound is nearly attained."""
    rng = np.random.default_rng(seed)
    A, b, _ = lists((4, 6), family, seed)
    tasks, weights, x = family(A, b), rng.dirichlet(np.ones(2)), 3 * rng.standard_normal(N_VARIABLES)
    evaluation = tasks.at(x)
    hessian = evaluation.hessian(weights)
    kappa = evaluation.self_concordance(weights, np.linalg.cholesky(hessian))
    B, _, ratios = evaluation.square_root(weights)
    rows = np.vstack(A)
    extreme = np.linalg.solve(hessian, rows[np.argmax(np.einsum("ij,ji->i", rows, np.linalg.solve(hessian, rows.T)))])
    for h in (*rng.standard_normal((20, N_VARIABLES)), extreme):
        second, third = derivatives_along(family, A, b, weights, x, h)
        assert abs(third) <= kappa * np.sqrt(h @ hessian @ h) * second * (1 + 1e-10)
        assert abs(third) <= np.max(ratios * np.abs(B @ h)) * second * (1 + 1e-10)


def test_self_concordance_is_the_largest_whitened_row_of_the_active_tasks():
    A, b, _ = lists((4, 6, 5), LogisticTasks)
    A[0] *= 1e3
    tasks, factor = LogisticTasks(A, b), np.tril(np.random.default_rng(0).standard_normal((5, 5))) + 3 * np.eye(5)
    evaluation = tasks.at(X)

    def largest(rows):
        return np.linalg.norm(np.linalg.solve(factor, rows.T), axis=0).max()

    assert evaluation.self_concordance(np.array([0.2, 0.4, 0.4]), factor) == pytest.approx(largest(np.vstack(A)), rel=1e-12)
    assert evaluation.self_concordance(np.array([0.0, 0.5, 0.5]), factor) == pytest.approx(largest(np.vstack(A[1:])), rel=1e-12)


def test_scattered_zero_weights_count_for_nothing():
    """More separate runs of active tasks than are skipped one by one."""
    sizes = tuple(1 + k % 3 for k in range(400))
    A, b, _ = lists(sizes, LogisticTasks)
    A = [1e3 * a if k % 2 else a for k, a in enumerate(A)]
    weights = np.where(np.arange(400) % 2, 0.0, 1 / 200)
    all_tasks, half = LogisticTasks(A, b).at(X), LogisticTasks(A[::2], b[::2]).at(X)
    np.testing.assert_allclose(all_tasks.gradient(weights), half.gradient(weights[::2]), rtol=1e-12)
    np.testing.assert_allclose(all_tasks.hessian(weights), half.hessian(weights[::2]), rtol=1e-12)
    factor = np.eye(N_VARIABLES)
    assert all_tasks.self_concordance(weights, factor) == pytest.approx(half.self_concordance(weights[::2], factor), rel=1e-12)


@CASES
@WEIGHTED
@pytest.mark.parametrize("convert", [list, as_torch], ids=["numpy", "torch"])
def test_quadratics_are_the_losses(sizes, weighted, convert):
    A, b, s = build(LeastSquaresTasks, sizes, weighted)
    tasks = LeastSquaresTasks(convert(A), convert(b), None if s is None else convert(s))
    P, q, c = tasks.quadratics()
    for x in np.random.default_rng(1).standard_normal((3, N_VARIABLES)):
        losses = to_host(tasks(tasks.space.asarray(x)))
        np.testing.assert_allclose(0.5 * np.einsum("i,kij,j->k", x, P, x) + q @ x + c, losses, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(P, np.swapaxes(P, 1, 2), atol=1e-14)


def test_hessian_in_several_blocks_equals_one_product():
    A, b, _ = lists((100, 70), LogisticTasks)
    weights = np.array([0.3, 0.7])
    for convert in (list, as_torch):
        tasks = LogisticTasks(convert(A), convert(b))
        tasks.data.block_entries = 1
        evaluation = tasks.at(tasks.space.asarray(X))
        B = to_host(evaluation.square_root(tasks.space.asarray(weights))[0])
        np.testing.assert_allclose(evaluation.hessian(tasks.space.asarray(weights)), B.T @ B, rtol=1e-12, atol=1e-14)
        factor = np.linalg.cholesky(B.T @ B)
        leverage = np.linalg.norm(np.linalg.solve(factor, np.vstack(A).T), axis=0).max()
        assert evaluation.self_concordance(tasks.space.asarray(weights), factor) == pytest.approx(leverage, rel=1e-12)


@pytest.mark.parametrize("convert", [list, as_torch], ids=["numpy", "torch"])
def test_huge_margins_neither_overflow_nor_lose_digits(convert):
    """log(1 + e^-m) is m for m = -1000 and e^-m for m = 40; phi'' has both tails; a square root that underflows is not given."""
    tasks = LogisticTasks(convert([np.array([[1.0]])]), convert([np.array([1.0])]))

    def at(x):
        return tasks.at(tasks.space.asarray(np.array([x])))

    one = tasks.space.asarray(np.array([1.0]))
    assert float(at(-1000.0).losses[0]) == 1000.0
    assert float(at(-1000.0).gradient(one)[0]) == -1.0
    assert at(-1000.0).square_root(one) is None
    assert float(at(1000.0).losses[0]) == 0.0
    for x in (40.0, -40.0):
        assert float(at(x).hessian(one)[0, 0]) == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert float(at(40.0).losses[0]) == pytest.approx(np.exp(-40.0), rel=1e-12)


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), (False, True)], ids=str)
def test_label_conventions_agree(labels):
    A, b, _ = lists((4, 5), LogisticTasks)
    relabelled = [np.where(v == 1, labels[1], labels[0]) for v in b]
    before = [v.copy() for v in relabelled]
    tasks = LogisticTasks(A, relabelled)
    np.testing.assert_array_equal(tasks(X), LogisticTasks(A, b)(X))
    np.testing.assert_array_equal(np.concatenate(relabelled), np.concatenate(before))


@FAMILY
def test_what_a_family_says_about_itself(family):
    tasks = family(*lists((3, 4), family)[:2])
    assert (tasks.n_tasks, tasks.n_variables, tasks.n_rows, tasks.space) == (2, N_VARIABLES, 7, HOST)
    assert tasks.convex
    assert tasks.strong_convexity == 0.0
    assert repr(tasks) == f"{family.__name__}(n_tasks=2, n_variables=5, n_rows=7)"
    assert check_jacobian(tasks, X) < 1e-8
