"""Linear cross entropy by task equals its reference with every strategy and backend, whatever is ignored, frozen or in chunks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from minimax_kernels import task_linear_cross_entropy
from minimax_kernels.linear_cross_entropy import chunks
from minimax_kernels.linear_cross_entropy.reference import task_linear_cross_entropy as reference

BACKENDS = ("torch", "native", "triton")
OPTIONS = [
    {},
    {"label_smoothing": 0.2},
    {"z_loss": 0.1},
    {"softcap": 2.0},
    {"label_smoothing": 0.1, "z_loss": 0.05, "softcap": 3.0},
]
STRATEGIES = [{"strategy": "store"}, {"strategy": "recompute"}, {"max_buffer_bytes": 8 * 64 * 7}]  # the last stores 7 rows or 14
EXACT = 1e-12  # float64, relative
ROUNDING = 4.0  # units in the last place that plain torch, which adds up in another order, may be luckier by


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "ROUND", 1)
    monkeypatch.setattr(chunks, "CPU_CHUNK", (0, 5))
    monkeypatch.setattr(chunks, "CUDA_CHUNK", (0, 5))


def draw(generator, n=13, h=4, v=37, n_tasks=4, bias=True, dtype=torch.float64, device="cpu"):
    """hidden, weight, bias; target and task ids, some ignored, the last task empty."""
    layer = [torch.randn(n, h, generator=generator), torch.randn(v, h, generator=generator)]
    layer.append(torch.randn(v, generator=generator) if bias else None)
    target = torch.randint(v, (n,), generator=generator)
    task_ids = torch.randint(max(n_tasks - 1, 1), (n,), generator=generator)
    target[3:5], task_ids[6:7] = -100, -100
    leaves = [None if t is None else t.to(device, dtype).requires_grad_() for t in layer]
    return leaves, target.to(device), task_ids.to(device)


def any_function(losses):
    """A scalar whose gradient differs from sample to sample and from task to task."""
    inner = torch.linspace(-0.5, 1.5, losses.sample_losses.numel(), device=losses.sample_losses.device)
    return losses.task_losses.square().sum() + (inner * losses.sample_losses.flatten()).sum()


def differentiate(op, leaves, target, task_ids, n_tasks=4, objective=any_function, **options):
    hidden, weight, bias = leaves
    losses = op(hidden, weight, target, task_ids, n_tasks, bias=bias, **options)
    wanted = [t for t in leaves if t is not None and t.requires_grad]
    return [*(t.detach() for t in losses), *torch.autograd.grad(objective(losses), wanted)]


def assert_close(found, true, tolerance=EXACT):
    assert len(found) == len(true)
    for one, other in zip(found, true, strict=True):
        assert one.shape == other.shape
        assert one.isfinite().all()
        if other.numel():
            assert (one.double() - other.double()).abs().max() <= tolerance * (1.0 + other.abs().max())


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_any_upstream_gradient(options, strategy, backend, device, generator):
    drawn = draw(generator, device=device, bias="z_loss" in options)
    found = differentiate(task_linear_cross_entropy, *drawn, **options, **strategy, backend=backend)
    assert_close(found, differentiate(reference, *drawn, **options))


@pytest.mark.parametrize("options", OPTIONS[::4], ids=str)
def test_known_weights(options, backend, device, generator):
    drawn = draw(generator, device=device)
    weights = torch.tensor([0.7, 0.0, -0.3, 0.6], device=device)

    def weighted(losses):
        return 3.0 * (weights.double() * losses.task_losses).sum()

    found = differentiate(task_linear_cross_entropy, *drawn, objective=weighted, task_weights=weights, backend=backend, **options)
    assert_close(found, differentiate(reference, *drawn, objective=weighted, **options))


@pytest.mark.parametrize("objective", [any_function, lambda losses: losses.task_losses.sum(), lambda x: x.sample_losses.sum()])
def test_known_weights_refuse_any_other_gradient(objective, generator):
    weights = torch.tensor([0.7, 0.1, 0.3, 0.6])
    with pytest.raises(RuntimeError, match=r"must be that of `c \* \(task_weights \* task_losses\)"):
        differentiate(task_linear_cross_entropy, *draw(generator), objective=objective, task_weights=weights)


def test_known_weights_of_any_size(generator):
    drawn = draw(generator, dtype=torch.float32)
    for scale in (2.0**16, 1e-20, 0.0):
        weights = torch.softmax(torch.tensor([0.0, -60.0, -90.0, 1.0]), 0)  # float32's denormal numbers among them

        def weighted(losses, weights=weights, scale=scale):
            return scale * (weights * losses.task_losses).sum()

        found = differentiate(task_linear_cross_entropy, *drawn, objective=weighted, task_weights=weights)[3:]
        true = differentiate(reference, *drawn, objective=weighted)[3:]
        for one, other in zip(found, true, strict=True):
            assert (one - other).abs().max() <= 1e-5 * other.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("known", [False, True])
def test_as_accurate_as_plain_torch(known, dtype, backend, device, generator):
    if backend == "triton" and dtype != torch.float32 and device.type == "cpu":
        pytest.skip("a CPU's products of narrow numbers are not those of tensor cores")
    leaves, target, task_ids = draw(generator, n=24, h=16, v=130, dtype=dtype, device=device)
    weights = torch.tensor([0.5, 0.2, 0.3, 0.0], device=device)

    def weighted(losses):
        return (weights * losses.task_losses).sum()

    def plain(hidden, weight, target, task_ids, n_tasks, *, bias):
        kept = (target != -100) & (task_ids != -100)
        losses = functional.cross_entropy(
            functional.linear(hidden, weight, bias), torch.where(kept, target, -100), reduction="none"
        )
        counts = torch.stack([(kept & (task_ids == task)).sum() for task in range(n_tasks)])
        sums = torch.stack([losses[kept & (task_ids == task)].sum() for task in range(n_tasks)])
        return type(true)(sums / counts.clamp(min=1), counts, losses)

    true = reference(leaves[0], leaves[1], target, task_ids, 4, bias=leaves[2])
    truth = differentiate(reference, leaves, target, task_ids, objective=weighted)
    usual = differentiate(plain, leaves, target, task_ids, objective=weighted)
    options = {"task_weights": weights} if known else {"strategy": "recompute"}
    found = differentiate(task_linear_cross_entropy, leaves, target, task_ids, objective=weighted, backend=backend, **options)
    for ours, theirs, exact in zip(found, usual, truth, strict=True):
        unit = torch.finfo(ours.dtype).eps * exact.abs().max() if ours.is_floating_point() else 0.0
        assert (ours - exact).abs().max() <= (theirs - exact).abs().max() + ROUNDING * unit


@pytest.mark.parametrize(("n", "v", "n_tasks"), [(0, 3, 2), (1, 1, 1), (7, 64, 1), (5, 65, 100_000)])
def test_sizes(n, v, n_tasks, backend, device, generator):
    leaves, target, task_ids = draw(generator, n=n, v=v, n_tasks=n_tasks, device=device)
    found = differentiate(task_linear_cross_entropy, leaves, target, task_ids, n_tasks, backend=backend)
    if n_tasks < 1000:
        assert_close(found, differentiate(reference, leaves, target, task_ids, n_tasks))
    assert found[0].shape == (n_tasks,)


def test_nothing_counts(backend, device, generator):
    leaves, target, task_ids = draw(generator, device=device)
    found = differentiate(task_linear_cross_entropy, leaves, torch.full_like(target, -100), task_ids, backend=backend)
    assert all((t == 0).all() for t in found)


def test_leading_dimensions_strides_and_an_id_for_each_sequence(backend, device, generator):
    (hidden, weight, bias), target, _ = draw(generator, n=12, h=6, v=20, device=device)
    leaves = [hidden.view(4, 3, 6).transpose(0, 1), weight.t().contiguous().t(), bias]
    target, task_ids = target.view(4, 3).t(), torch.tensor([[0], [2], [1]], device=device, dtype=torch.int32)
    found = differentiate(task_linear_cross_entropy, leaves, target, task_ids, 3, backend=backend)
    assert_close(found, differentiate(reference, leaves, target, task_ids, 3))


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (1, 2)])
@pytest.mark.parametrize("options", [*STRATEGIES, {"task_weights": torch.tensor([1.0, 2.0, 0.0, 1.0])}], ids=str)
def test_what_is_frozen_costs_nothing(options, frozen, generator, monkeypatch):
    leaves, target, task_ids = draw(generator)
    for index in frozen:
        leaves[index].requires_grad_(False)
    needed = []
    initial = chunks.Sums.__init__
    monkeypatch.setattr(chunks.Sums, "__init__", lambda self, head, wanted: needed.append(wanted) or initial(self, head, wanted))

    def weighted(losses):
        return (torch.tensor([1.0, 2.0, 0.0, 1.0]) * losses.task_losses).sum()

    found = differentiate(task_linear_cross_entropy, leaves, target, task_ids, objective=weighted, **options)
    assert_close(found, differentiate(reference, leaves, target, task_ids, objective=weighted))
    assert needed == [tuple(index not in frozen for index in range(3))]


def test_a_frozen_layer_takes_two_products_and_any_gradient(generator, monkeypatch):
    leaves, target, task_ids = draw(generator)
    for t in leaves[1:]:
        t.requires_grad_(False)
    true = differentiate(reference, leaves, target, task_ids)
    products = []
    logits = chunks.Head.logits
    monkeypatch.setattr(chunks.Head, "logits", lambda *arguments: products.append(1) or logits(*arguments))
    assert_close(differentiate(task_linear_cross_entropy, leaves, target, task_ids, strategy="recompute"), true)
    assert len(products) == 2  # the ten samples that count, five at a time


def test_without_gradients_nothing_is_kept(generator, monkeypatch):
    (hidden, weight, bias), target, task_ids = draw(generator)
    stored = []
    forward = chunks.forward
    monkeypatch.setattr(chunks, "forward", lambda head, rows: stored.append(rows) or forward(head, rows))
    with torch.no_grad():
        task_linear_cross_entropy(hidden, weight, target, task_ids, 4, bias=bias, strategy="store")
        task_linear_cross_entropy(hidden, weight, target, task_ids, 4, bias=bias, task_weights=torch.ones(4))
    task_linear_cross_entropy(hidden.detach(), weight.detach(), target, task_ids, 4)
    assert stored == [0, 0, 0]


@pytest.mark.parametrize("options", [*STRATEGIES, {"task_weights": torch.tensor([1.0, 0.0, 2.0, 1.0])}], ids=str)
def test_samples_of_weight_zero_are_left_out(options, generator, monkeypatch):
    leaves, target, task_ids = draw(generator, n=40)
    with torch.no_grad():
        leaves[0][task_ids == 1] = torch.nan

    def weighted(losses):
        return (torch.tensor([1.0, 0.0, 2.0, 1.0]) * losses.task_losses.nan_to_num()).sum()

    rows = []
    add = chunks.Sums.add
    monkeypatch.setattr(
        chunks.Sums, "add", lambda self, head, at, x, *rest, **o: rows.append(len(x)) or add(self, head, at, x, *rest, **o)
    )
    found = differentiate(task_linear_cross_entropy, leaves, target, task_ids, objective=weighted, **options)[3:]
    with torch.no_grad():
        leaves[0][task_ids == 1] = 0.0
    assert_close(found, differentiate(reference, leaves, target, task_ids, objective=weighted)[3:])
    counted = (target != -100) & (task_ids != -100) & (task_ids != 1)
    assert sum(rows) == counted.sum()
    assert max(rows) <= 5


@pytest.mark.parametrize("options", [*STRATEGIES, {"task_weights": torch.tensor([0.5, 0.2, 0.3, 0.0])}], ids=str)
def test_the_same_bits_twenty_times(options, backend, device, generator):
    drawn = draw(generator, dtype=torch.float32, device=device)
    options = {name: value.to(device) if name == "task_weights" else value for name, value in options.items()}

    def run():
        weights = torch.tensor([0.5, 0.2, 0.3, 0.0], device=device)
        return differentiate(
            task_linear_cross_entropy, *drawn, objective=lambda x: (weights * x.task_losses).sum(), backend=backend, **options
        )

    first = run()
    for _ in range(19 if backend == "torch" or device.type == "cuda" else 2):  # emulation takes its time
        assert all(torch.equal(one, other) for one, other in zip(run(), first, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 12), st.integers(1, 9), st.integers(1, 5))
def test_the_order_of_the_samples_does_not_matter(seed, n, v, n_tasks):
    leaves, target, task_ids = draw(torch.Generator().manual_seed(seed), n=n, v=v, n_tasks=n_tasks)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    (hidden, weight, bias), swapped = leaves, (leaves[0].detach()[order].requires_grad_(), *leaves[1:])

    def symmetric(losses):
        return losses.task_losses.exp().sum() + losses.sample_losses.square().sum()

    found = differentiate(task_linear_cross_entropy, swapped, target[order], task_ids[order], n_tasks, symmetric)
    true = differentiate(reference, (hidden, weight, bias), target, task_ids, n_tasks, symmetric)
    true[2:4] = true[2][order], true[3][order]
    assert_close(found, true)
