"""Sums of whole numbers: the same bits for any order, any split, any backend."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minimax_kernels import ExactTaskReduction, task_reduce, task_reduce_exact
from minimax_kernels.reduce import reference
from minimax_kernels.reduce.composed import unit_for
from minimax_kernels.reduce.exact import reduce_exact

pytestmark = pytest.mark.filterwarnings("ignore:.*value encountered in:RuntimeWarning")  # the emulator's, of inf - inf

LOST = 2.0**-61  # of the bound, by each sample


def wild(n, n_tasks, generator, dtype=torch.float32):
    """Losses of 20 orders of magnitude and both signs."""
    losses = torch.randn(n, generator=generator, dtype=torch.float64) * 10 ** (20 * torch.rand(n, generator=generator) - 14)
    ids = torch.randint(-1, n_tasks, (n,), generator=generator)
    return losses.to(dtype), torch.where(ids < 0, -100, ids)


def same(a, b):
    return all(torch.equal(x.cpu(), y.cpu()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "n_tasks"), [(0, 2), (1, 1), (2100, 5), (700, 90)])
def test_every_backend_gives_the_same_bits(backend, device, generator, dtype, n, n_tasks):
    losses, ids = wild(n, n_tasks, generator, dtype)
    if n > 1000:
        losses[:3] = torch.tensor([math.nan, math.inf, -math.inf])
    truth = task_reduce_exact(losses, ids, n_tasks, backend="torch")
    found = task_reduce_exact(losses.to(device), ids.to(device), n_tasks, backend=backend)
    assert same(found, truth)
    assert same(
        (
            x.nan_to_num(3.0)
            for x in task_reduce(losses.to(device), ids.to(device), n_tasks, determinism="order_invariant", backend=backend)
        ),
        (x.nan_to_num(3.0) for x in truth.rounded()),
    )


@pytest.mark.parametrize("n_tasks", [4, 90])
def test_the_order_of_the_samples_does_not_matter(backend, device, generator, n_tasks):
    losses, ids = wild(1500, n_tasks, generator)
    first = task_reduce(losses.to(device), ids.to(device), n_tasks, determinism="order_invariant", backend=backend)
    for _ in range(3):
        order = torch.randperm(len(ids), generator=generator)
        again = task_reduce(
            losses[order].to(device), ids[order].to(device), n_tasks, determinism="order_invariant", backend=backend
        )
        assert same(again, first)


def test_a_sum_of_floating_numbers_does_depend_on_it(generator):
    """Otherwise the tests above could not fail."""
    losses, ids = wild(1500, 4, generator, torch.float64)
    sums = {
        tuple(task_reduce(losses[o], ids[o], 4).sums.tolist())
        for o in (torch.randperm(1500, generator=generator) for _ in range(9))
    }
    assert len(sums) > 1


@pytest.mark.parametrize("ranks", [2, 3, 7])
def test_parts_add_up_to_the_whole(backend, device, generator, ranks):
    losses, ids = wild(800, 5, generator)
    bound = losses.abs().max().to(device)  # the maximum over the ranks
    whole = task_reduce_exact(losses.to(device), ids.to(device), 5, bound=bound, backend=backend)
    parts = [
        task_reduce_exact(x.to(device), t.to(device), 5, bound=bound, backend=backend)
        for x, t in zip(losses.tensor_split(ranks), ids.tensor_split(ranks), strict=True)
    ]
    totals = torch.stack([part.totals for part in parts]).sum(0)
    largest = torch.stack([part.max for part in parts]).amax(0)
    joined = ExactTaskReduction(totals, largest, parts[-1].unit)
    assert same(joined, whole)
    assert same(joined.rounded(), whole.rounded())


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=30), st.sampled_from([None, 2.0**100, 3e33]))
def test_what_is_lost_is_below_the_last_place(values, bound):
    losses, ids = torch.tensor(values, dtype=torch.float32), torch.zeros(len(values), dtype=torch.int64)
    exact = sum(Fraction(float(x)) for x in losses)
    for backend in ("auto", "torch"):
        whole = task_reduce_exact(losses, ids, 1, bound=bound, backend=backend)
        high, low = (int(x) for x in whole.totals[:2, 0])
        found = (Fraction(high) + Fraction(low, 2**31)) * Fraction(float(whole.unit))
        assert abs(found - exact) <= len(values) * LOST * Fraction(float(whole.unit) * 2**30)
        # rounding adds three roundings to float64, relative to what is added
        assert abs(float(whole.rounded().sums[0]) - float(found)) <= 2.0**-51 * sum(abs(x) for x in values)


def test_float32_losses_of_a_common_size_lose_nothing(backend, device, generator):
    losses = torch.rand(500, generator=generator) + 0.01
    whole = task_reduce_exact(
        losses.to(device), torch.zeros(500, dtype=torch.int64, device=device), 1, bound=10.0, backend=backend
    )
    assert float(whole.rounded().sums) == math.fsum(losses.tolist())


def test_beyond_the_bound_is_infinite(backend, device):
    losses = torch.tensor([1.0, 9.0, -100.0, 1.0], device=device)
    ids = torch.tensor([0, 1, 2, 2], device=device)
    r = task_reduce_exact(losses, ids, 3, bound=3.0, backend=backend).rounded()
    assert r.sums.tolist() == [1.0, math.inf, -math.inf]


def test_ignored_samples_do_not_set_the_unit(backend, device):
    losses, ids = torch.tensor([1.0, 1e30], device=device), torch.tensor([0, -100], device=device)
    assert float(task_reduce_exact(losses, ids, 1, backend=backend).unit) == 2.0 * 2.0**-30


def test_the_unit():
    for bound in (1.0, 1.5, 0.999, 1e300, 1e-250, 1.7976931348623157e308):
        unit = float(unit_for(torch.tensor(bound, dtype=torch.float64)))
        assert bound / unit < 2.0**30 <= 2 * bound / unit
    assert float(unit_for(torch.tensor(0.0))) == float(unit_for(torch.tensor(5e-324, dtype=torch.float64))) == 2.0**-930
    assert float(unit_for(torch.tensor(math.inf))) == 2.0**994


def test_extreme_sizes(backend, device):
    for size in (1e-300, 1e300):
        losses = torch.tensor([size, size, -size / 4], dtype=torch.float64, device=device)
        r = task_reduce(
            losses, torch.zeros(3, dtype=torch.int64, device=device), 1, determinism="order_invariant", backend=backend
        )
        if size > 1:
            assert float(r.sums) == pytest.approx(1.75 * size, rel=2.0**-50)
        else:
            assert abs(float(r.sums)) <= 3 * 2.0**-961  # below what counts


def test_it_is_an_op_without_gradient(backend, device, generator):
    losses, ids = wild(40, 3, generator)
    losses, ids = losses.to(device), ids.to(device)
    torch.library.opcheck(reduce_exact, (losses, ids, 3, -100, None, backend))
    assert not task_reduce_exact(losses.requires_grad_(), ids, 3, backend=backend).max.requires_grad
    compiled = torch.compile(
        lambda x, t: task_reduce_exact(x, t, 3, bound=1e7, backend=backend).rounded(), fullgraph=True, backend="aot_eager"
    )
    assert same(compiled(losses.detach(), ids), task_reduce_exact(losses, ids, 3, bound=1e7, backend=backend).rounded())


def test_against_the_reference(backend, device, generator):
    losses, ids = wild(300, 4, generator)
    r = task_reduce_exact(losses.to(device), ids.to(device), 4, backend=backend).rounded()
    true = reference.task_reduce(losses, ids, 4)
    torch.testing.assert_close(r.sums.cpu(), true[0], rtol=1e-14, atol=1e-8)
    assert torch.equal(r.counts.cpu(), true[1])
