"""task_reduce and task_spread against one task after the other in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from minimax_kernels import task_reduce, task_spread
from minimax_kernels.reduce import composed, native, reference
from minimax_kernels.reduce.op import reduce
from minimax_kernels.reduce.spread import spread

pytestmark = pytest.mark.filterwarnings("ignore:.*value encountered in:RuntimeWarning")  # the emulator's, of inf - inf

SUM_ROUNDING = 1e-14  # of the sum of abs(losses): float64 sums of some thousands, in any order
LAST_DIGIT = {torch.float32: 2.0**-23, torch.float64: 2.0**-51}  # a mean is rounded once more than its sum
SIZES = [(0, 3), (1, 1), (7, 1), (999, 5), (3001, 8), (2050, 70), (500, 1500)]


def samples(n, n_tasks, generator, dtype=torch.float32, device="cpu", ids_dtype=torch.int64):
    losses = (10 * torch.randn(n, generator=generator, dtype=torch.float64)).to(dtype)
    ids = torch.randint(n_tasks, (n,), generator=generator).to(ids_dtype)
    ids[1::7] = -100
    if n_tasks > 3:
        ids[ids == 2] = 1  # task 2 is empty
    return losses.to(device), ids.to(device)


def assert_reduction(found, losses, ids, n_tasks, ignore_index=-100, lost=0.0):
    """`lost` is what sums of whole numbers may lose."""
    sums, counts, means, largest = (x.cpu() for x in found)
    true = reference.task_reduce(losses.cpu(), ids.cpu(), n_tasks, ignore_index)
    size = reference.task_reduce(losses.cpu().double().abs().nan_to_num(0, 0, 0), ids.cpu(), n_tasks, ignore_index)[0]
    same = (sums - true[0]).abs() <= SUM_ROUNDING * size + lost
    assert (same | (sums == true[0]) | (sums.isnan() & true[0].isnan())).all()
    assert torch.equal(counts, true[1])
    slack = (SUM_ROUNDING * size + lost) / counts.clamp(min=1)
    assert torch.where(true[2].isfinite(), (means - true[2]).abs() <= LAST_DIGIT[means.dtype] * true[2].abs() + slack, True).all()
    torch.testing.assert_close(largest.double(), true[3], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(means.isfinite(), true[2].isfinite())
    assert (sums.dtype, counts.dtype, means.dtype, largest.dtype) == (torch.float64, torch.int64, *[means.dtype] * 2)


@pytest.mark.parametrize(("n", "n_tasks"), SIZES)
@pytest.mark.parametrize("determinism", ["run_to_run", "order_invariant"])
def test_all_sizes(backend, device, generator, n, n_tasks, determinism):
    losses, ids = samples(n, n_tasks, generator, device=device)
    found = task_reduce(losses, ids, n_tasks, determinism=determinism, backend=backend)
    assert_reduction(found, losses, ids, n_tasks)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("ids_dtype", [torch.int32, torch.int64])
def test_dtypes(backend, device, generator, dtype, ids_dtype):
    losses, ids = samples(500, 4, generator, dtype, device, ids_dtype)
    found = task_reduce(losses, ids, 4, backend=backend)
    assert found.means.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert_reduction(found, losses, ids, 4)


@pytest.mark.parametrize("n_tasks", [5, 80])
@pytest.mark.parametrize("determinism", ["run_to_run", "order_invariant"])
def test_losses_that_are_not_finite_show_in_their_task_only(backend, device, generator, determinism, n_tasks):
    losses, ids = samples(300, n_tasks, generator)
    for task, values in ((0, [math.nan]), (1, [math.inf]), (3, [math.inf, -math.inf]), (4, [-math.inf])):
        losses[torch.where(ids == task)[0][: len(values)]] = torch.tensor(values)
    losses, ids = losses.to(device), ids.to(device)
    found = task_reduce(losses, ids, n_tasks, determinism=determinism, backend=backend)
    assert_reduction(found, losses, ids, n_tasks)
    assert found.sums.isnan().tolist()[:5] == [True, False, False, True, False]


def test_empty_tasks_and_all_ignored(backend, device):
    losses = torch.tensor([1.0, math.nan], device=device)
    found = task_reduce(losses, torch.tensor([-7, -7], device=device), 2, ignore_index=-7, backend=backend)
    assert [x.tolist() for x in found] == [[0.0, 0.0], [0, 0], [0.0, 0.0], [-math.inf, -math.inf]]


def test_the_ignored_index_may_be_that_of_a_task(backend, device, generator):
    losses, ids = samples(100, 3, generator, device=device)
    ids = ids.clamp(min=0)
    for determinism in ("run_to_run", "order_invariant"):
        found = task_reduce(losses, ids, 3, ignore_index=0, determinism=determinism, backend=backend)
        assert_reduction(found, losses, ids, 3, ignore_index=0)
    spread_out = task_spread(torch.ones(3, device=device), ids, ignore_index=0, backend=backend)
    assert torch.equal(spread_out, (ids != 0).float())


def test_shapes_that_expand_and_strides(backend, device, generator):
    losses = torch.randn(6, 10, generator=generator).to(device)
    ids = torch.randint(3, (6, 1), generator=generator).to(device)
    kept = losses.clone()
    assert_reduction(task_reduce(losses, ids, 3, backend=backend), losses, ids, 3)
    assert_reduction(task_reduce(losses.T[::2], ids.T, 3, backend=backend), losses.T[::2], ids.T, 3)
    assert torch.equal(losses, kept)
    assert task_spread(torch.ones(3, device=device), ids.expand(6, 10), backend=backend).shape == (6, 10)


@pytest.mark.parametrize("n_tasks", [3, 70])
@pytest.mark.parametrize("determinism", ["run_to_run", "order_invariant"])
def test_derivatives(backend, device, generator, n_tasks, determinism):
    losses, ids = samples(20, n_tasks, generator, torch.float64, device)
    losses.requires_grad_()

    def call(x):
        r = task_reduce(x, ids, n_tasks, determinism=determinism, backend=backend)
        assert not r.max.requires_grad
        return r.sums.sin(), r.means.cos()  # non-uniform gradients from above, and a second derivative

    # The steps of gradcheck move sums of whole numbers by multiples of their unit.
    gradcheck(call, losses, fast_mode=True)
    gradgradcheck(call, losses, fast_mode=True)


def test_the_gradient_in_each_dtype(backend, device, generator):
    for dtype in (torch.float32, torch.bfloat16):
        losses, ids = samples(50, 4, generator, dtype, device)
        upstream = torch.randn(4, generator=generator).to(device)
        (found,) = torch.autograd.grad(task_reduce(losses.requires_grad_(), ids, 4, backend=backend).means, losses, upstream)
        n = torch.bincount(ids.clamp(min=-1) + 1, minlength=5)[1:]
        true = torch.where(ids >= 0, (upstream.double() / n.clamp(min=1))[ids.clamp(min=0)], 0.0)
        assert found.dtype == dtype
        torch.testing.assert_close(found, true.to(dtype), rtol=LAST_DIGIT[torch.float32], atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_spread_is_an_indexing(backend, device, generator, dtype):
    values = torch.randn(5, generator=generator).to(device, dtype)
    ids = torch.randint(5, (3, 7), generator=generator).to(device)
    ids[1, 2] = -100
    found = task_spread(values, ids, backend=backend)
    assert torch.equal(found, reference.task_spread(values, ids))
    x = torch.randn(5, generator=generator, dtype=torch.float64).to(device).requires_grad_()
    gradcheck(lambda v: task_spread(v, ids, backend=backend).square(), x, fast_mode=True)
    gradgradcheck(lambda v: task_spread(v, ids, backend=backend).square(), x, fast_mode=True)


@pytest.mark.parametrize("n_tasks", [4, 90])
def test_the_same_bits_again_and_again(backend, device, generator, n_tasks):
    losses, ids = samples(4000, n_tasks, generator, device=device)
    first = task_reduce(losses, ids, n_tasks, backend=backend)
    for _ in range(4 if device.type == "cpu" and backend == "triton" else 19):
        again = task_reduce(losses, ids, n_tasks, backend=backend)
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


@pytest.mark.parametrize(("n_tasks", "wrong"), [(3, 3), (3, -1), (80, 2**31 - 1), (3, -(2**31))])
def test_ids_out_of_range(backend, device, monkeypatch, n_tasks, wrong):
    losses, ids = torch.ones(3, device=device), torch.tensor([0, wrong, 1], device=device)
    monkeypatch.setenv("MINIMAX_OPT_DEBUG", "1")
    message = rf"`task_ids` must be from 0 to {n_tasks - 1} .*got {wrong}"
    for call in (
        lambda: task_reduce(losses, ids, n_tasks, backend=backend),
        lambda: task_reduce(losses, ids, n_tasks, determinism="order_invariant", backend=backend),
        lambda: task_spread(losses.new_ones(n_tasks), ids, backend=backend),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("n_tasks", [3, 80])
def test_ids_out_of_range_count_as_ignored_where_they_are_not_checked(monkeypatch, backend, device, n_tasks):
    for module in ("reduce.composed", "reduce.native", "reduce.triton_launch"):
        monkeypatch.setattr(f"minimax_kernels.{module}.check_range", lambda *_: None)
    ids = torch.tensor([0, n_tasks, -1, n_tasks - 1, 2**40, -(2**40)], device=device)
    losses = torch.arange(1.0, 7.0, device=device)
    for determinism in ("run_to_run", "order_invariant"):
        found = task_reduce(losses, ids, n_tasks, determinism=determinism, backend=backend)
        assert found.counts.sum() == 2
        assert found.sums[[0, -1]].tolist() == [1.0, 4.0]
    assert task_spread(torch.ones(n_tasks, device=device), ids, backend=backend).tolist() == [1, 0, 0, 1, 0, 0]


def test_many_samples_of_a_lane_and_few_of_many_tasks():
    """The C code has four lanes, one beyond 8192 tasks; the tail of both."""
    generator = torch.Generator().manual_seed(0)
    for n, n_tasks in ((5, 8192), (4099, 8193), (3, 100_000)):
        losses, ids = samples(n, n_tasks, generator)
        found, other = (task_reduce(losses, ids, n_tasks, backend=b) for b in ("auto", "torch"))
        torch.testing.assert_close(found, other, rtol=1e-6, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, of forward mode
def test_transforms_see_torch_operations(generator):
    losses, ids = samples(12, 3, generator, torch.float64)
    (jacobian,) = (torch.func.jacrev(lambda x: task_reduce(x, ids, 3).means)(losses),)
    torch.testing.assert_close(torch.func.jacfwd(lambda x: task_reduce(x, ids, 3).means)(losses), jacobian)
    batch = torch.stack([losses, 2 * losses])
    torch.testing.assert_close(
        torch.func.vmap(lambda x: task_reduce(x, ids, 3).sums)(batch)[1], 2 * task_reduce(losses, ids, 3).sums
    )
    tangent = torch.randn(12, generator=generator, dtype=torch.float64)
    with torch.autograd.forward_ad.dual_level():
        r = task_reduce(torch.autograd.forward_ad.make_dual(losses, tangent), ids, 3)
        moved = torch.autograd.forward_ad.unpack_dual(r.means).tangent
    torch.testing.assert_close(moved, jacobian @ tangent)


def test_it_is_an_op(backend, device, generator):
    losses, ids = samples(30, 3, generator, device=device)
    torch.library.opcheck(reduce, (losses.requires_grad_(), ids, 3, -100, False, None, backend))
    torch.library.opcheck(spread, (torch.ones(3, device=device, requires_grad=True), ids, -100, backend))


def test_compiles_without_a_break(backend, device, generator):
    losses, ids = samples(30, 3, generator, device=device)
    compiled = torch.compile(lambda x, t: task_reduce(x, t, 3, backend=backend).means, fullgraph=True, backend="aot_eager")
    x = losses.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(compiled(x, ids).square().sum(), x)
    (expected,) = torch.autograd.grad(task_reduce(x, ids, 3, backend=backend).means.square().sum(), x)
    assert torch.equal(gradient, expected)


@given(st.lists(st.tuples(st.integers(-1, 3), st.floats(-1e6, 1e6, width=32)), max_size=40))
def test_any_samples_in_c_and_torch(pairs):
    ids = torch.tensor([k if k >= 0 else -100 for k, _ in pairs], dtype=torch.int64)
    losses = torch.tensor([x for _, x in pairs], dtype=torch.float32)
    for backend in ("auto", "torch"):
        for determinism in ("run_to_run", "order_invariant"):
            lost = 40 * 2.0**-60 * 1e6
            assert_reduction(task_reduce(losses, ids, 4, determinism=determinism, backend=backend), losses, ids, 4, lost=lost)


def test_offsets_do_not_overflow():
    """Spans and counts of more samples than 2^31 by arithmetic: offsets are int64 in the kernels, and the launch splits as it should."""
    triton_launch = pytest.importorskip("minimax_kernels.reduce.triton_launch")
    n = 2**33 + 5
    grid, samples, span, width, height = triton_launch.one_launch(torch.empty(1).expand(n), 8)
    assert samples == n
    assert (grid - 1) * span < n <= grid * span
    assert span % width == 0
    assert width * height == triton_launch.TILE
    assert native.problem(torch.empty(1), torch.empty(n, dtype=torch.int64, device="meta")[:0], 3, -100)[2:5] == (0, 3, -100)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, t: task_reduce(x, t, 0), ValueError, "`n_tasks` must be from 1"),
        (lambda x, t: task_reduce(x, t, 2.0), TypeError, "`n_tasks` must be an int"),
        (lambda x, t: task_reduce(x.long(), t, 2), TypeError, "`sample_losses` must be a floating"),
        (lambda x, t: task_reduce(x, t.float(), 2), TypeError, "`task_ids` must be an int64 or int32"),
        (lambda x, t: task_reduce(x, t[:2], 2), ValueError, r"`task_ids` must have shape \(3,\)"),
        (lambda x, t: task_reduce(x, t, 2, determinism="none"), ValueError, "`determinism` must be 'run_to_run' or"),
        (lambda x, t: task_reduce(x, t, 2, bound=0.0), ValueError, "`bound` must be a finite float > 0"),
        (lambda x, t: task_reduce(x, t, 2, bound=x), ValueError, r"`bound` must be .* shape \(\) on cpu"),
        (lambda x, t: task_spread(x.reshape(1, 3), t), ValueError, r"`values` must have shape \(n_tasks,\)"),
        (lambda x, t: task_spread(x, t.float()), TypeError, "`task_ids` must be"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.ones(3), torch.zeros(3, dtype=torch.int64))


def test_the_composed_form_is_what_the_op_gives(generator):
    losses, ids = samples(200, 6, generator)
    torch.testing.assert_close(composed.reduce(losses, ids, 6, -100), task_reduce(losses, ids, 6))
