"""Cross-entropy by task equals its reference on every backend, forward and backward, whatever is ignored, capped or far from 0."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from minimax_kernels import task_cross_entropy
from minimax_kernels.backend import interpreting
from minimax_kernels.cross_entropy.reference import task_cross_entropy as reference
from minimax_kernels.results import TaskLosses

BACKENDS = ("torch", "native", "triton")
ROUNDING = 4.0  # plain torch orders its sums otherwise: a few units in the last place more or less


def draw(n, v, n_tasks, generator, dtype=torch.float64, device="cpu", scale=3.0, offset=0.0):
    """Logits, targets and task ids; the first sample has an ignored target, the second an ignored task."""
    logits = (torch.randn(n, v, generator=generator, dtype=torch.float64) * scale + offset).to(dtype)
    target = torch.randint(v, (n,), generator=generator)
    task_ids = torch.randint(n_tasks, (n,), generator=generator)
    if n > 2:
        target[0] = task_ids[1] = -100
    return logits.to(device), target.to(device), task_ids.to(device)


def differentiated(op, logits, *arguments, **options):
    """The results of `op` and the gradient of a weighted sum of all losses."""
    leaf = logits.detach().clone().requires_grad_()
    result = op(leaf, *arguments, **options)
    weights = torch.linspace(-1.0, 2.0, result.task_losses.numel(), dtype=torch.float64, device=logits.device)
    inner = torch.linspace(0.5, 1.5, result.sample_losses.numel(), dtype=torch.float64, device=logits.device)
    total = (weights * result.task_losses).sum() + (inner * result.sample_losses.flatten()).sum()
    (gradient,) = torch.autograd.grad(total, leaf)
    return TaskLosses(*(x.detach() for x in result)), gradient


def plain(logits, target, task_ids, n_tasks, *, label_smoothing=0.0, z_loss=0.0, softcap=None):
    """What people write, in the dtype of the logits."""
    x = logits if softcap is None else softcap * torch.tanh(logits / softcap)
    kept = (target != -100) & (task_ids != -100)
    losses = functional.cross_entropy(x, torch.where(kept, target, -100), reduction="none", label_smoothing=label_smoothing)
    losses = losses + z_loss * torch.where(kept, x.logsumexp(-1), 0.0).square()
    means = [
        losses[kept & (task_ids == k)].mean() if (kept & (task_ids == k)).any() else losses.sum() * 0 for k in range(n_tasks)
    ]
    counts = torch.stack([(kept & (task_ids == k)).sum() for k in range(n_tasks)])
    return TaskLosses(torch.stack(means), counts, losses)


def error(x, truth):
    return float((x.detach().double() - truth.double()).abs().max()) if x.numel() else 0.0


def assert_as_good_as_torch(logits, target, task_ids, n_tasks, backend, **options):
    """Error against float64 at most that of plain torch in the same dtype, and a few units in the last place."""
    ours, gradient = differentiated(task_cross_entropy, logits, target, task_ids, n_tasks, backend=backend, **options)
    truth, true_gradient = differentiated(reference, logits.double(), target, task_ids, n_tasks, **options)
    theirs, their_gradient = differentiated(plain, logits, target, task_ids, n_tasks, **options)
    wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
    assert ours.task_losses.dtype == ours.sample_losses.dtype == wide
    assert gradient.dtype == logits.dtype
    assert torch.equal(ours.task_counts, truth.task_counts)
    for name in ("task_losses", "sample_losses"):
        mine, true = getattr(ours, name), getattr(truth, name)
        unit = torch.finfo(wide).eps * max(1.0, float(true.abs().max()))
        assert error(mine, true) <= error(getattr(theirs, name), true) + ROUNDING * unit
    unit = torch.finfo(logits.dtype).eps * max(float(true_gradient.abs().max()), 1e-3)
    truncated = 2.0 if logits.dtype == torch.bfloat16 and backend == "triton" and interpreting() else 1.0  # it rounds towards 0
    assert error(gradient, true_gradient) <= (error(their_gradient, true_gradient) + ROUNDING * unit) * truncated


@pytest.mark.parametrize("v", [1, 2, 37, 1000, 4999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_losses_and_gradients_are_as_good_as_plain_torch(backend, device, generator, v, dtype):
    assert_as_good_as_torch(*draw(6, v, 3, generator, dtype, device), 4, backend)


@pytest.mark.parametrize(
    "options",
    [{"label_smoothing": 0.1}, {"z_loss": 0.01}, {"softcap": 5.0}, {"label_smoothing": 0.3, "z_loss": 0.1, "softcap": 2.0}],
)
@pytest.mark.parametrize("v", [5, 4101])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_so_they_are_with_every_option(backend, device, generator, v, dtype, options):
    assert_as_good_as_torch(*draw(5, v, 3, generator, dtype, device), 3, backend, **options)


@pytest.mark.parametrize("offset", [1e4, -1e6])
@pytest.mark.parametrize("v", [33, 2050])
def test_an_offset_costs_no_digits(backend, device, generator, v, offset):
    """log sum exp alone would: 1e6 has no room for 1e-3 in float32."""
    assert_as_good_as_torch(*draw(5, v, 2, generator, torch.float32, device, offset=offset), 2, backend)


@pytest.mark.parametrize("v", [9, 1030])
def test_entries_of_minus_infinity_have_probability_0(backend, device, generator, v):
    logits, target, task_ids = draw(5, v, 2, generator, torch.float32, device)
    logits[:, : v // 2] = -math.inf
    target[2:] = v - 1
    ours, gradient = differentiated(task_cross_entropy, logits, target, task_ids, 2, backend=backend)
    truth, true_gradient = differentiated(reference, logits, target, task_ids, 2)
    assert error(ours.sample_losses, truth.sample_losses) < 1e-5
    assert error(gradient, true_gradient) < 1e-6
    assert not gradient[:, : v // 2].any()


@pytest.mark.parametrize("v", [7, 1500])
def test_ignored_samples_are_not_read_and_get_exact_zeros(backend, device, generator, v):
    logits, target, task_ids = draw(6, v, 2, generator, torch.float32, device)
    logits[:2] = math.nan
    result, gradient = differentiated(task_cross_entropy, logits, target, task_ids, 2, backend=backend, z_loss=0.1, softcap=3.0)
    assert result.task_counts.sum() == 4
    assert not result.sample_losses[:2].any()
    assert not gradient[:2].any()
    assert result.task_losses.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("softcap", [0.0, 5.0])
@pytest.mark.parametrize("v", [7, 1500])
def test_rows_of_weight_0_are_not_read_backward(backend, device, generator, v, softcap):
    logits, target, task_ids = draw(6, v, 2, generator, torch.float32, device)
    losses, largest, log_sums, tasks = torch.ops.minimax_opt.cross_entropy(logits, target, task_ids, 2, -100, 0.0, 0.0, backend)
    weights = torch.ones_like(losses)
    weights[3] = 0.0
    logits[3] = math.nan
    arguments = (logits, target, tasks, largest, log_sums, 0.1, softcap, backend)
    gradient = torch.ops.minimax_opt.cross_entropy_backward(weights, torch.zeros_like(weights), *arguments)
    assert not gradient[3].any()
    assert gradient.isfinite().all()
    assert gradient[4].any()


@pytest.mark.parametrize("v", [6, 1100])
def test_ids_out_of_range_raise_on_a_cpu_and_count_as_ignored_elsewhere(backend, device, generator, v):
    logits, target, task_ids = draw(6, v, 2, generator, torch.float32, device)
    target[3], target[4], task_ids[5] = v, -7, 2
    if device.type == "cpu":
        with pytest.raises(ValueError, match=r"`target` must be from 0 to .* got"):
            task_cross_entropy(logits, target, torch.zeros_like(task_ids), 2, backend=backend)
        with pytest.raises(ValueError, match=r"`task_ids` must be from 0 to 1 .*got 2"):
            task_cross_entropy(logits, torch.zeros_like(target), task_ids, 2, backend=backend)
    losses, _, _, tasks = torch.ops.minimax_opt.cross_entropy(logits, target, task_ids, 2, -100, 0.0, 0.0, backend)
    assert (tasks < 0).tolist() == [True, True, False, True, True, True]
    assert (losses == 0).tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize("n", [0, 3])
def test_empty_tasks_have_mean_0(backend, device, generator, n):
    logits, target, task_ids = draw(n, 12, 2, generator, torch.float32, device)
    result, gradient = differentiated(
        task_cross_entropy, logits, torch.full_like(target, 5), torch.full_like(task_ids, 5), 7, ignore_index=5, backend=backend
    )
    assert result.task_losses.tolist() == [0.0] * 7
    assert result.task_counts.tolist() == [0] * 7
    assert result.sample_losses.shape == (n,)
    assert gradient.shape == (n, 12)
    assert not gradient.any()


@pytest.mark.parametrize("v", [11, 1201])
def test_any_layout_of_the_logits(backend, device, generator, v):
    target = torch.randint(v, (2, 3), generator=generator).int()
    task_ids = torch.tensor([[0], [1]])  # a task for each sequence
    wide = torch.randn(2, 4, v + 5, generator=generator)
    layouts = [
        wide[:, :3, :v],
        wide.transpose(0, 1)[:3, :, :v].transpose(0, 1),
        torch.randn(v, 2, 3, generator=generator).movedim(0, -1),
    ]
    for logits in (layout.to(device) for layout in layouts):
        ours, gradient = differentiated(task_cross_entropy, logits, target.to(device), task_ids.to(device), 2, backend=backend)
        truth, true_gradient = differentiated(reference, logits, target.to(device), task_ids.to(device), 2)
        assert ours.sample_losses.shape == (2, 3)
        assert error(ours.sample_losses, truth.sample_losses) < 1e-5
        assert error(gradient, true_gradient) < 1e-6
    padded = (
        torch.randn(3, v + 13, generator=generator).to(device)[:, 2 : v + 2].requires_grad_()
    )  # rows at one distance: used as they are
    ours = task_cross_entropy(padded, target[0].to(device), task_ids[0].to(device), 1, backend=backend)
    (gradient,) = torch.autograd.grad(ours.task_losses.sum(), padded)
    truth, true_gradient = differentiated(reference, padded, target[0].to(device), task_ids[0].to(device), 1)
    assert error(ours.task_losses, truth.task_losses) < 1e-5


def test_a_one_dimensional_sample(backend, device, generator):
    logits = torch.randn(5, generator=generator).to(device)
    result = task_cross_entropy(logits, torch.tensor(3, device=device), torch.tensor(0, device=device), 1, backend=backend)
    assert result.sample_losses.shape == ()
    torch.testing.assert_close(result.sample_losses, functional.cross_entropy(logits, torch.tensor(3, device=device)))


def test_first_and_second_derivatives(backend, device, generator):
    logits, target, task_ids = draw(3, 3, 2, generator, torch.float64, device, scale=1.0)

    def losses(x):
        result = task_cross_entropy(
            x, target, task_ids, 2, label_smoothing=0.25, z_loss=0.5, softcap=2.0, ignore_index=-100, backend=backend
        )
        return result.task_losses, result.sample_losses

    assert torch.autograd.gradcheck(losses, logits.requires_grad_())
    assert torch.autograd.gradgradcheck(losses, logits)


@pytest.mark.parametrize("v", [100, 3001])
def test_twenty_runs_are_bitwise_equal(backend, device, generator, v):
    arguments = (*draw(3 if backend == "triton" and interpreting() else 40, v, 3, generator, torch.float32, device), 3)
    first, gradient = differentiated(task_cross_entropy, *arguments, backend=backend)
    for _ in range(19):
        again, other = differentiated(task_cross_entropy, *arguments, backend=backend)
        assert torch.equal(first.task_losses, again.task_losses)
        assert torch.equal(first.sample_losses, again.sample_losses)
        assert torch.equal(gradient, other)


def test_inputs_are_left_as_they_are(backend, device, generator):
    inputs = draw(4, 30, 2, generator, torch.float32, device)
    copies = [x.clone() for x in inputs]
    differentiated(task_cross_entropy, *inputs, 2, backend=backend, softcap=1.0)
    assert all(map(torch.equal, inputs, copies))


@given(st.integers(1, 40), st.integers(1, 6), st.floats(-50, 50), st.floats(0, 1), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_losses_do_not_change_with_a_shift_and_gradients_add_up_to_0(v, n_tasks, shift, smoothing, seed):
    generator = torch.Generator().manual_seed(seed)
    logits, target, task_ids = draw(5, v, n_tasks, generator)
    one, gradient = differentiated(task_cross_entropy, logits, target, task_ids, n_tasks, label_smoothing=smoothing)
    two, _ = differentiated(task_cross_entropy, logits + shift, target, task_ids, n_tasks, label_smoothing=smoothing)
    assert error(one.task_losses, two.task_losses) < 1e-10
    assert error(gradient.sum(-1), torch.zeros(5)) < 1e-10
    assert (one.sample_losses >= -1e-12).all()


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"logits": torch.zeros(2, 3, dtype=torch.int64)}, TypeError, "`logits` must be a floating"),
        ({"logits": torch.zeros(2, 0)}, ValueError, "at least one class"),
        ({"target": torch.zeros(3, dtype=torch.int64)}, ValueError, "`target` must have shape"),
        ({"task_ids": torch.zeros(2)}, TypeError, "`task_ids` must be an int64"),
        ({"n_tasks": 0}, ValueError, "`n_tasks` must be from 1"),
        ({"label_smoothing": 1.5}, ValueError, "`label_smoothing` must be a finite float >= 0 and <= 1"),
        ({"z_loss": -1.0}, ValueError, "`z_loss` must be"),
        ({"softcap": 0.0}, ValueError, "`softcap` must be a finite float > 0"),
        ({"backend": "numpy"}, ValueError, "`backend` must be one of .*'native'"),
    ],
)
def test_wrong_arguments_are_refused(change, kind, message):
    index = torch.zeros(2, dtype=torch.int64)
    arguments = {"logits": torch.zeros(2, 3), "target": index, "task_ids": index, "n_tasks": 2} | change
    with pytest.raises(kind, match=message):
        task_cross_entropy(**arguments)
