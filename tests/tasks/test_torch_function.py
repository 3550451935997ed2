"""Torch functions: derivatives, batches, and functions that cannot be differentiated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import minimax_opt as mo
from minimax_opt.arrays import Space
from minimax_opt.tasks import LogisticTasks, TorchTasks, check_jacobian

RNG = np.random.default_rng(0)
A, LABELS, X = RNG.standard_normal((3, 7, 4)), RNG.integers(0, 2, (3, 7)).astype(float), RNG.standard_normal(4)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def logistic(x):
    z = torch.as_tensor(A, dtype=x.dtype, device=x.device) @ x
    return (torch.nn.functional.softplus(z) - torch.as_tensor(LABELS, dtype=x.dtype, device=x.device) * z).mean(1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("as_list", [False, True], ids=["tensor", "list of scalars"])
def test_derivatives_equal_the_closed_forms(device, dtype, as_list):
    """The closed forms of LogisticTasks, which have their own tests."""
    tasks = TorchTasks((lambda x: list(logistic(x))) if as_list else logistic, hessian=True)
    x, weights = torch.as_tensor(X, dtype=dtype, device=device), torch.tensor([0.2, 0.5, 0.3], dtype=dtype, device=device)
    ours, exact = tasks.at(x), LogisticTasks(A, LABELS).at(X)
    host = weights.double().cpu().numpy()
    rtol = 1e-10 if dtype == torch.float64 else 1e-4
    for mine, theirs in (
        (ours.losses, exact.losses),
        (ours.gradient(weights), exact.gradient(host)),
        (ours.jacobian(), exact.jacobian()),
        (ours.hessian(weights), exact.hessian(host)),
    ):
        assert (mine.dtype, mine.device.type, mine.requires_grad) == (dtype, device, False)
        np.testing.assert_allclose(mine.cpu(), theirs, rtol=rtol, atol=rtol / 100)
    assert not x.requires_grad
    assert (tasks.has_jacobian, tasks.has_hessian, TorchTasks(logistic).has_hessian) == (True, True, False)


def test_the_gradient_is_one_backward_pass():
    class Counted(torch.autograd.Function):
        passes = 0

        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            Counted.passes += 1
            return g

    TorchTasks(lambda x: logistic(Counted.apply(x))).at(torch.tensor(X)).gradient(torch.ones(3, dtype=torch.float64))
    assert Counted.passes == 1


def test_functions_that_vmap_cannot_batch_still_have_a_jacobian():
    class Square(torch.autograd.Function):
        """Its backward looks at values, which vmap forbids."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            assert g.sum().item() == g.sum().item()
            return 2 * ctx.saved_tensors[0] * g

    jacobian = TorchTasks(Square.apply).at(torch.tensor([1.0, 2.0])).jacobian()
    assert jacobian.tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_affine_and_partly_constant_functions_have_zero_second_derivatives():
    weights = torch.tensor([0.5, 0.5], dtype=torch.float64)
    for fun in (lambda x: torch.stack([x.sum(), x[0]]), lambda x: torch.stack([x[0], torch.ones((), dtype=x.dtype)])):
        assert not TorchTasks(fun).at(X).hessian(weights).any()


DERIVATIVES = {
    "gradient": lambda evaluation, weights: evaluation.gradient(weights),
    "jacobian": lambda evaluation, weights: evaluation.jacobian(),
    "hessian": lambda evaluation, weights: evaluation.hessian(weights),
}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_losses_that_no_path_of_the_graph_joins_to_x_are_refused(derivative):
    other = torch.ones(2, requires_grad=True)
    evaluation = TorchTasks(lambda x: other * 2, hessian=True).at(torch.ones(2))
    with pytest.raises(ValueError, match="losses do not depend on x; compute them from the `x` passed to `fun`"):
        derivative(evaluation, torch.tensor([0.5, 0.5]))


def test_a_single_task_may_ignore_x():
    """Its loss may depend on another tensor that requires a gradient, and so may the slopes of affine tasks."""
    other = torch.tensor(3.0, requires_grad=True)
    evaluation = TorchTasks(lambda x: [other**2, other * x.sum()], hessian=True).at(torch.ones(2))
    weights = torch.tensor([0.5, 0.5])
    assert evaluation.jacobian().tolist() == [[0.0, 0.0], [3.0, 3.0]]
    assert evaluation.gradient(weights).tolist() == [1.5, 1.5]
    assert evaluation.hessian(weights).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_where_x_lives():
    """None until minimize_max binds it: to the space of a tensor x0, else to CPU float64."""
    tasks = TorchTasks(logistic)
    assert tasks.space is None
    assert tasks.in_space(mo.arrays.HOST).space == Space("torch", torch.float64, torch.device("cpu"))
    single = Space("torch", torch.float32, torch.device("cpu"))
    assert tasks.in_space(single).at(X).losses.dtype == torch.float32
    assert tasks.space is None
    assert check_jacobian(tasks, torch.tensor(X)) < 1e-8


def test_batches_reach_the_function():
    data = torch.arange(10.0)
    tasks = TorchTasks(
        lambda x, batch: torch.stack([x[0] * (data if batch is None else batch).mean(), x[0]]),
        batches=lambda generator, size: data[generator.integers(0, 10, size)],
    )
    x = torch.ones(1)
    assert tasks(x).tolist() == [4.5, 1.0]
    expected = data[np.random.default_rng(3).integers(0, 10, 4)].mean()
    batch = tasks.sample(np.random.default_rng(3), 4)
    assert batch(x).tolist() == [expected, 1.0]
    assert batch.at(x).gradient(torch.tensor([1.0, 0.0])).tolist() == [expected]
    assert tasks(x).tolist() == [4.5, 1.0]
    with pytest.raises(NotImplementedError, match="draws mini-batches only if it gets `batches=`"):
        TorchTasks(logistic).sample(np.random.default_rng(0), 4)


REFUSED = {
    "number": (lambda x: 1.0, TypeError, "must return a tensor of K losses .* got float; with numbers from `.item"),
    "list of numbers": (lambda x: [1.0, 2.0], TypeError, "got list"),
    "dict": (
        lambda x: {"a": x.sum()},
        TypeError,
        r"must return a tensor of K losses .* got dict; return its values as a list, `list\(losses.values\(\)\)`",
    ),
    "not reduced": (
        lambda x: [x.sum(), x],
        ValueError,
        r"`fun` must return one number for each task, got shape \(4,\) for task 1; reduce it, e.g. by `.mean\(\)`",
    ),
    "complex": (lambda x: x * 1j, TypeError, "must return real losses, got dtype torch.complex128"),
    "empty list": (lambda x: [], TypeError, "got list"),
    "scalar": (lambda x: x.sum(), ValueError, r"one vector of K losses, shape \(K,\), got shape \(\)"),
    "matrix": (lambda x: x[None], ValueError, r"got shape \(1, 4\)"),
    "empty": (lambda x: x[:0], ValueError, r"at least one loss, got K = 0"),
    "detached": (
        lambda x: (x * x).detach(),
        ValueError,
        "depend on x through torch operations, got a result without a graph; look for",
    ),
    "constant": (lambda x: torch.ones(2), ValueError, "losses that do not use x"),
}


@pytest.mark.parametrize(("fun", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_functions_that_cannot_be_differentiated_are_refused(fun, error, message):
    with pytest.raises(error, match=message):
        TorchTasks(fun).at(torch.tensor(X))


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match=r"`fun` must be one function .* got list"):
        TorchTasks([logistic])
    with pytest.raises(TypeError, match=r"`batches` must be a function .* got int"):
        TorchTasks(logistic, batches=3)
    with pytest.raises(ValueError, match="`space` must be a torch space"):
        TorchTasks(logistic, space=mo.arrays.HOST)
    with pytest.raises(RuntimeError, match="9"):  # the function's own error comes through
        TorchTasks(lambda x: x @ x.new_ones(9)).at(torch.tensor(X))


def test_losses_of_lower_precision_come_back_in_the_dtype_of_x():
    def fun(x):
        return torch.stack([(x.float() - 1).square().sum(), (x.float() + 1).square().sum()])

    tasks = TorchTasks(fun, hessian=True)
    assert tasks.losses_eps == 0.0
    evaluation = tasks.at(torch.zeros(2, dtype=torch.float64))
    assert tasks.losses_eps == float(torch.finfo(torch.float32).eps)
    weights = torch.tensor([0.25, 0.75], dtype=torch.float64)
    for part in (evaluation.losses, evaluation.gradient(weights), evaluation.jacobian(), evaluation.hessian(weights)):
        assert part.dtype == torch.float64
    res = mo.minimize_max(fun, torch.ones(2, dtype=torch.float64), method="accelerated", max_iter=5)
    assert res.fun >= 2.0
