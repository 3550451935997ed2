"""Masked regression by task equals its reference on every backend, and never reads a patch that is not masked."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch.nn import functional

from minimax_kernels import task_masked_mse
from minimax_kernels.backend import interpreting
from minimax_kernels.masked_mse.reference import task_masked_mse as reference
from minimax_kernels.results import TaskLosses

BACKENDS = ("torch", "native", "triton")
ROUNDING = 4.0  # plain torch orders its sums otherwise: a few units in the last place more or less
KINDS = ("l2", "l1", "smooth_l1")


def draw(n, length, n_tasks, generator, dtype=torch.float64, device="cpu"):
    """Predictions, targets, mask and task ids; patches that are not to be read hold nan."""
    pred = torch.randn(n, length, generator=generator, dtype=torch.float64).to(dtype)
    target = (2.0 * torch.randn(n, length, generator=generator, dtype=torch.float64) + 1.0).to(dtype)
    mask = torch.rand(n, generator=generator) < 0.7
    task_ids = torch.randint(n_tasks, (n,), generator=generator)
    if n > 3:
        mask[:4] = torch.tensor([False, True, True, True])
        task_ids[1] = -100
    unread = ~mask | (task_ids == -100)
    pred[unread] = target[unread] = math.nan
    return tuple(x.to(device) for x in (pred, target, mask, task_ids))


def differentiated(op, pred, *arguments, **options):
    """The results of `op` and the gradient of a weighted sum of all losses."""
    leaf = pred.detach().clone().requires_grad_()
    result = op(leaf, *arguments, **options)
    weights = torch.linspace(-1.0, 2.0, result.task_losses.numel(), dtype=torch.float64, device=pred.device)
    inner = torch.linspace(0.5, 1.5, result.sample_losses.numel(), dtype=torch.float64, device=pred.device)
    total = (weights * result.task_losses).sum() + (inner * result.sample_losses.flatten()).sum()
    (gradient,) = torch.autograd.grad(total, leaf)
    return TaskLosses(*(x.detach() for x in result)), gradient


def plain(pred, target, mask, task_ids, n_tasks, *, kind="l2", beta=1.0, normalize_target=False):
    """What people write, in the dtype of the predictions, on patches that have no nan."""
    used = mask & (task_ids != -100)
    pred, target = (torch.where(used.unsqueeze(-1), x, 0.0) for x in (pred, target))
    if normalize_target:
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
    entries = {
        "l2": lambda: (pred - target) ** 2,
        "l1": lambda: (pred - target).abs(),
        "smooth_l1": lambda: functional.smooth_l1_loss(pred, target, reduction="none", beta=beta),
    }[kind]()
    losses = torch.where(used, entries.mean(-1), 0.0)
    of_task = [used & (task_ids == k) for k in range(n_tasks)]
    means = torch.stack([losses[which].mean() if which.any() else losses.sum() * 0 for which in of_task])
    return TaskLosses(means, torch.stack([which.sum() for which in of_task]), losses)


def error(x, truth):
    return float((x.double() - truth.double()).abs().max()) if x.numel() else 0.0


@pytest.mark.parametrize("normalize_target", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [3, 48, 5003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_losses_and_gradients_are_as_good_as_plain_torch(backend, device, generator, length, dtype, kind, normalize_target):
    inputs = draw(9, length, 3, generator, dtype, device)
    options = {"kind": kind, "beta": 0.7, "normalize_target": normalize_target}
    ours, gradient = differentiated(task_masked_mse, *inputs, 4, backend=backend, **options)
    truth, true_gradient = differentiated(reference, *inputs, 4, **options)
    theirs, their_gradient = differentiated(plain, *inputs, 4, **options)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert ours.task_losses.dtype == ours.sample_losses.dtype == wide
    assert gradient.dtype == dtype
    assert torch.equal(ours.task_counts, truth.task_counts)
    for name in ("task_losses", "sample_losses"):
        mine, true = getattr(ours, name), getattr(truth, name)
        unit = torch.finfo(wide).eps * max(1.0, float(true.abs().max()))
        assert error(mine, true) <= error(getattr(theirs, name), true) + ROUNDING * unit
    unread = true_gradient.isnan() | (true_gradient == 0)
    assert not gradient[~inputs[2]].any(), "exactly 0, nan or not"
    assert gradient.isfinite().all()
    unit = torch.finfo(dtype).eps * float(true_gradient[~unread].abs().max())
    truncated = 2.0 if dtype == torch.bfloat16 and backend == "triton" and interpreting() else 1.0  # it rounds towards 0
    bound = error(their_gradient[~unread], true_gradient[~unread]) + ROUNDING * unit
    assert error(gradient[~unread], true_gradient[~unread]) <= bound * truncated


def test_the_patches_of_weight_0_are_not_read_backward(backend, device, generator):
    pred, target, _, task_ids = draw(6, 5, 2, generator, torch.float32, device)
    pred, target, mask = pred.nan_to_num(), target.nan_to_num(), torch.ones(6, dtype=torch.bool, device=device)
    settings = ("l2", 1.0, True, backend)
    losses, tasks, means, scales = torch.ops.minimax_opt.masked_mse(pred, target, mask, task_ids, 2, -100, *settings)
    weights = torch.ones_like(losses)
    weights[3] = 0.0
    pred[3] = target[3] = math.nan
    gradient = torch.ops.minimax_opt.masked_mse_backward(weights, pred, target, tasks, means, scales, *settings)
    assert not gradient[3].any()
    assert gradient.isfinite().all()
    assert gradient[2].any()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_empty_tasks_have_mean_0(backend, device, generator, n):
    for normalize_target in (False, True):
        pred, target, mask, task_ids = draw(n, 4, 2, generator, torch.float32, device)
        for hidden, ids in ((torch.zeros_like(mask), task_ids), (mask, torch.full_like(task_ids, -100))):
            result, gradient = differentiated(
                task_masked_mse, pred, target, hidden, ids, 3, normalize_target=normalize_target, backend=backend
            )
            assert result.task_losses.tolist() == [0.0] * 3
            assert result.task_counts.tolist() == [0] * 3
            assert not result.sample_losses.any()
            assert gradient.shape == (n, 4)
            assert not gradient.any()


def test_ids_out_of_range_raise_on_a_cpu_and_count_as_unmasked_elsewhere(backend, device, generator):
    pred, target, mask, task_ids = draw(5, 3, 2, generator, torch.float32, device)
    task_ids[2], task_ids[3] = 2, -1
    if device.type == "cpu":
        with pytest.raises(ValueError, match=r"`task_ids` must be from 0 to 1 .*got 2"):
            task_masked_mse(pred, target, mask, task_ids, 2, backend=backend)
    losses, tasks, _, _ = torch.ops.minimax_opt.masked_mse(pred, target, mask, task_ids, 2, -100, "l2", 1.0, False, backend)
    assert not losses[:4].any()
    assert tasks[:4].tolist() == [-1] * 4


def test_tasks_by_sample_or_by_place_and_any_layout(backend, device, generator):
    wide = torch.randn(2, 5, 9, generator=generator)
    target = torch.randn(5, 2, 6, generator=generator).transpose(0, 1).to(device)
    mask = torch.tensor([True, False, True, True, True], device=device)  # one for all samples
    for ids in (torch.tensor([[0], [1]]), torch.tensor([0, 0, 1, 1, 0]).int()):
        for pred in (wide[..., 2:8], wide.movedim(2, 0)[1:7].movedim(0, 2)):
            ours, gradient = differentiated(task_masked_mse, pred.to(device), target, mask, ids.to(device), 2, backend=backend)
            truth, true_gradient = differentiated(reference, pred.to(device), target, mask, ids.to(device), 2)
            assert ours.sample_losses.shape == (2, 5)
            assert error(ours.sample_losses, truth.sample_losses) < 1e-5
            assert error(gradient, true_gradient) < 1e-6
    strided = wide[0][:, 1:7].to(device)  # patches at one distance: used as they are
    ours = task_masked_mse(strided, target[0], mask, ids.to(device), 2, backend=backend)
    assert error(ours.task_losses, reference(strided, target[0], mask, ids.to(device), 2).task_losses) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_first_and_second_derivatives_in_both_sides(backend, device, generator, kind):
    pred, target, mask, task_ids = draw(4, 3, 2, generator, torch.float64, device)
    pred, target = (x.nan_to_num(nan=1.0).requires_grad_() for x in (pred, target))

    def losses(pred, target):
        result = task_masked_mse(pred, target, mask, task_ids, 2, kind=kind, beta=0.5, backend=backend)
        return result.task_losses, result.sample_losses

    assert torch.autograd.gradcheck(losses, (pred, target))
    assert torch.autograd.gradgradcheck(losses, (pred, target))


def test_derivatives_with_a_normalized_target(backend, device, generator):
    pred, target, mask, task_ids = draw(4, 3, 2, generator, torch.float64, device)
    options = {"normalize_target": True, "backend": backend}
    inputs = (target.nan_to_num(), mask, task_ids, 2)
    assert torch.autograd.gradcheck(
        lambda x: task_masked_mse(x, *inputs, **options).task_losses, pred.nan_to_num().requires_grad_()
    )
    with pytest.raises(ValueError, match="Detach it"):
        task_masked_mse(pred, target.requires_grad_(), mask, task_ids, 2, **options)


def test_each_side_has_its_own_dtype(backend, device, generator):
    pred, target, mask, task_ids = draw(5, 6, 2, generator, torch.float32, device)
    pred, target = (x.nan_to_num() for x in (pred, target))
    low = pred.half().requires_grad_()
    exact = target.clone().requires_grad_()
    task_masked_mse(low, exact, mask, task_ids, 2, backend=backend).task_losses.sum().backward()
    assert (low.grad.dtype, exact.grad.dtype) == (torch.float16, torch.float32)
    assert error(low.grad, -exact.grad) < 1e-3


def test_twenty_runs_are_bitwise_equal_and_inputs_are_left_as_they_are(backend, device, generator):
    inputs = draw(40, 33, 3, generator, torch.float32, device)
    copies = [x.clone() for x in inputs]
    first, gradient = differentiated(task_masked_mse, *inputs, 3, normalize_target=True, backend=backend)
    for _ in range(19):
        again, other = differentiated(task_masked_mse, *inputs, 3, normalize_target=True, backend=backend)
        assert all(map(torch.equal, first, again))
        assert torch.equal(gradient, other)
    for x, copy in zip(inputs, copies, strict=True):
        torch.testing.assert_close(x, copy, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_op_within_torch(backend, device, generator, kind):
    pred, target, mask, task_ids = draw(6, 4, 2, generator, torch.float32, device)
    settings = (kind, 0.5, False, backend)
    pred.requires_grad_()
    torch.library.opcheck(
        torch.ops.minimax_opt.masked_mse,
        (pred.nan_to_num().detach().requires_grad_(), target.nan_to_num(), mask, task_ids, 2, -100, *settings),
    )

    def means(x):
        return task_masked_mse(x, target, mask, task_ids, 2, kind=kind, beta=0.5, backend=backend).task_losses

    torch.compiler.reset()  # it counts the versions of a function, over all tests
    compiled = torch.compile(means, fullgraph=True, backend="aot_eager")
    weights = torch.tensor([1.0, -2.0], device=device)
    torch.testing.assert_close(compiled(pred), means(pred))
    torch.testing.assert_close(
        torch.autograd.grad((compiled(pred) * weights).sum(), pred), torch.autograd.grad((means(pred) * weights).sum(), pred)
    )


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script:DeprecationWarning"
)  # torch's own use, at its first forward-mode derivative
def test_transforms_of_torch_func(backend, device, generator):
    pred, target, mask, task_ids = draw(6, 4, 2, generator, torch.float64, device)

    def means(x):
        return task_masked_mse(x, target, mask, task_ids, 2, normalize_target=True, backend=backend).task_losses

    batch = torch.stack([pred, 2.0 * pred])
    torch.testing.assert_close(torch.func.vmap(means)(batch), torch.stack([means(x) for x in batch]))
    jacobian = torch.autograd.functional.jacobian(means, pred)
    torch.testing.assert_close(torch.func.jacrev(means)(pred), jacobian)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(means(forward_ad.make_dual(pred, torch.ones_like(pred)))).tangent
    torch.testing.assert_close(tangent, jacobian.sum((1, 2)))


@given(st.integers(2, 30), st.sampled_from(KINDS), st.floats(0.1, 10), st.floats(-5, 5), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_what_normalizing_ignores(length, kind, scale, shift, seed):
    """Scale and offset of the target, up to the 1e-6; and without it, an offset of both sides."""
    pred, target, mask, task_ids = draw(5, length, 2, torch.Generator().manual_seed(seed))
    one = task_masked_mse(pred, target, mask, task_ids, 2, kind=kind, normalize_target=True)
    two = task_masked_mse(pred, scale * target + shift, mask, task_ids, 2, kind=kind, normalize_target=True)
    spread = float(target.nan_to_num(nan=math.inf).var(-1).nan_to_num(nan=math.inf).min()) * min(scale, 1.0) ** 2
    assert error(one.sample_losses, two.sample_losses) <= 1e-5 * (1.0 + 1.0 / spread) * (1.0 + float(one.sample_losses.max()))
    one = task_masked_mse(pred, target, mask, task_ids, 2, kind=kind)
    two = task_masked_mse(pred + shift, target + shift, mask, task_ids, 2, kind=kind)
    assert error(one.task_losses, two.task_losses) < 1e-10


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"pred": torch.zeros(2, 3).int()}, TypeError, "`pred` must be a floating"),
        ({"target": torch.zeros(2, 4)}, ValueError, "`target` must have the shape of `pred`"),
        ({"mask": torch.ones(2)}, TypeError, r"`mask` must be a bool tensor.*`\.bool\(\)`"),
        ({"mask": torch.ones(3, dtype=torch.bool)}, ValueError, "`mask` must have shape"),
        ({"task_ids": torch.zeros(3).long()}, ValueError, "`task_ids` must have shape"),
        ({"kind": "huber"}, ValueError, "`kind` must be one of 'l2', 'l1', 'smooth_l1', got 'huber'"),
        ({"beta": 0.0}, ValueError, "`beta` must be a finite float > 0"),
        ({"pred": torch.zeros(2, 1), "target": torch.zeros(2, 1), "normalize_target": True}, ValueError, "at least 2 entries"),
    ],
)
def test_wrong_arguments_are_refused(change, kind, message):
    arguments = {
        "pred": torch.zeros(2, 3),
        "target": torch.zeros(2, 3),
        "mask": torch.ones(2).bool(),
        "task_ids": torch.zeros(2).long(),
    }
    with pytest.raises(kind, match=message):
        task_masked_mse(**(arguments | {"n_tasks": 2} | change))
