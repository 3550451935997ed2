"""Linear cross entropy as a citizen of torch: custom op, compiler, transforms, autocast, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from minimax_kernels import task_linear_cross_entropy
from minimax_kernels.backend import interpreting
from minimax_kernels.linear_cross_entropy import chunks, registration, registration_known
from minimax_kernels.linear_cross_entropy.reference import task_linear_cross_entropy as reference

BACKENDS = ("torch", "native", "triton")
KNOWN = torch.tensor([0.25, 0.75])


def draw(generator, dtype=torch.float64, device="cpu"):
    layer = [torch.randn(5, 3, generator=generator), torch.randn(6, 3, generator=generator), torch.randn(6, generator=generator)]
    leaves = [t.to(device, dtype).requires_grad_() for t in layer]
    return leaves, torch.tensor([0, 5, -100, 2, 2], device=device), torch.tensor([0, 1, 1, 0, -100], device=device)


def small(leaves, target, task_ids, **options):
    hidden, weight, bias = leaves
    return task_linear_cross_entropy(hidden, weight, target, task_ids, 2, bias=bias, **options)


@pytest.mark.parametrize("options", [{"strategy": "store"}, {"strategy": "recompute", "softcap": 2.0, "z_loss": 0.1}], ids=str)
def test_first_and_second_derivatives(options, generator):
    leaves, target, task_ids = draw(generator)

    def function(*layer):
        losses = small(layer, target, task_ids, label_smoothing=0.1, **options)
        return losses.task_losses, losses.sample_losses

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


def test_second_derivatives_with_known_weights(generator):
    leaves, target, task_ids = draw(generator)

    def first(op, **options):
        hidden, weight, bias = leaves
        losses = op(hidden, weight, target, task_ids, 2, bias=bias, **options)
        return torch.autograd.grad((KNOWN * losses.task_losses).sum(), leaves, create_graph=True)

    found = torch.autograd.grad(sum(g.square().sum() for g in first(task_linear_cross_entropy, task_weights=KNOWN)), leaves)
    true = torch.autograd.grad(sum(g.square().sum() for g in first(reference)), leaves)
    for one, other in zip(found, true, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("stored", [0, 3, 4])  # four rows count; room beyond them stays as it is
def test_opcheck(stored, backend, device, generator):
    leaves, target, _ = draw(generator, torch.float32, device)
    labels = target.clamp(min=-1)
    settings = (0.1, 0.01, 3.0, backend)
    tests = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic", "test_autograd_registration")
    if interpreting() and backend == "triton":
        tests = tests[:2]  # emulation takes its time
    torch.library.opcheck(registration.linear_cross_entropy, (*leaves, labels, stored, *settings), test_utils=tests)
    losses, lse, kept = registration.linear_cross_entropy(*(t.detach() for t in leaves), labels, stored, *settings)
    arguments = (torch.ones_like(losses), *(t.detach() for t in leaves), labels, lse, kept, True, True, False, *settings)
    torch.library.opcheck(registration.linear_cross_entropy_backward, arguments, test_utils=tests[:2])


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 0.25, 0.0, 0.0, 1.0])], ids=["frozen", "known"])
def test_opcheck_known(weights, generator):
    leaves, target, _ = draw(generator, torch.float32)
    labels = target.clamp(min=-1)
    needed = (True, weights is not None, weights is not None)
    leaves = [leaf.requires_grad_(need) for leaf, need in zip(leaves, needed, strict=True)]
    settings = (0.1, 0.01, 3.0, "torch")
    tests = ("test_schema", "test_faketensor")  # the gradient that the others draw is none that the op can have
    torch.library.opcheck(
        registration_known.linear_cross_entropy_known, (*leaves, labels, weights, *needed, *settings), test_utils=tests
    )
    values = [t.detach() for t in leaves]
    _, *finished = registration_known.linear_cross_entropy_known(*values, labels, weights, *needed, *settings)
    grad = torch.ones(5) if weights is None else 2.0 * weights
    arguments = (grad, *values, labels, weights, *finished, *needed, *settings)
    torch.library.opcheck(registration_known.linear_cross_entropy_known_backward, arguments, test_utils=tests)


@pytest.mark.parametrize(
    "options", [{"strategy": "store"}, {"strategy": "recompute"}, {"max_buffer_bytes": 1000}, {"task_weights": KNOWN}], ids=str
)
def test_compiles_without_a_break(options, generator):
    leaves, target, task_ids = draw(generator, torch.float32)

    def step(hidden, weight, bias):
        losses = small((hidden, weight, bias), target, task_ids, **options)
        return (KNOWN * losses.task_losses).sum(), losses.task_counts

    eager, counts = step(*leaves)
    compiled, compiled_counts = torch.compile(step, fullgraph=True, backend="aot_eager")(*leaves)
    torch.testing.assert_close(compiled, eager)
    assert torch.equal(counts, compiled_counts)
    for one, other in zip(torch.autograd.grad(compiled, leaves), torch.autograd.grad(eager, leaves), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, at the first jvp
def test_forward_mode_and_transforms(generator):
    leaves, target, task_ids = draw(generator)

    def loss(hidden, weight, bias):
        return small((hidden, weight, bias), target, task_ids, softcap=3.0).task_losses.square().sum()

    primals = tuple(leaf.detach() for leaf in leaves)
    tangents = tuple(torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in primals)
    slope = torch.func.jvp(loss, primals, tangents)[1]
    gradients = torch.autograd.grad(loss(*leaves), leaves)
    torch.testing.assert_close(slope, sum((g * t).sum() for g, t in zip(gradients, tangents, strict=True)))
    batched = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))(torch.stack([primals[0]] * 2), *primals[1:])
    torch.testing.assert_close(batched[1], gradients[0])
    with torch.autograd.forward_ad.dual_level():
        dual = loss(*map(torch.autograd.forward_ad.make_dual, primals, tangents))
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(dual).tangent, slope)


def test_autocast(generator):
    leaves, target, task_ids = draw(generator, torch.float32)
    rounded = [t.detach().bfloat16().requires_grad_() for t in leaves]
    with torch.autocast("cpu", torch.bfloat16):
        losses = small([leaves[0].bfloat16(), *leaves[1:]], target, task_ids)
        gradients = torch.autograd.grad(losses.task_losses.sum(), leaves)
    assert losses.task_losses.dtype == torch.float32
    assert all(g.dtype == torch.float32 for g in gradients)
    expected = small(rounded, target, task_ids)
    assert torch.equal(losses.task_losses, expected.task_losses)
    for one, other in zip(gradients, torch.autograd.grad(expected.task_losses.sum(), rounded), strict=True):
        torch.testing.assert_close(one, other.float())


def test_saves_its_input_and_leaves_it_alone(generator):
    leaves, target, task_ids = draw(generator)
    before = [t.detach().clone() for t in (*leaves, target, task_ids)]
    small(leaves, target, task_ids).task_losses.sum().backward()
    assert all(torch.equal(one, other.detach()) for one, other in zip(before, (*leaves, target, task_ids), strict=True))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": torch.tensor([0, 6, 0, 0, 0])}, ValueError, "`target` must be from 0 to 5"),
        ({"task_ids": torch.tensor([0, 2, 0, 0, 0])}, ValueError, "`task_ids` must be from 0 to 1"),
        ({"target": torch.tensor([0, 1])}, ValueError, r"`target` must have shape \(5,\)"),
        ({"target": torch.zeros(5)}, TypeError, "`target` must be an int64"),
        ({"weight": torch.zeros(6, 4)}, ValueError, r"`weight` must have shape \(V, 3\)"),
        ({"weight": torch.zeros(6, 3)}, TypeError, "`weight` must have the dtype of `hidden`"),
        ({"bias": torch.zeros(5).double()}, ValueError, r"`bias` must have shape \(6,\)"),
        ({"hidden": torch.zeros(5, 3).long()}, TypeError, "`hidden` must be a floating"),
        ({"n_tasks": 0}, ValueError, "`n_tasks` must be from 1"),
        ({"label_smoothing": 1.5}, ValueError, "`label_smoothing` must be"),
        ({"z_loss": -1.0}, ValueError, "`z_loss` must be"),
        ({"softcap": 0.0}, ValueError, "`softcap` must be"),
        ({"strategy": "fused"}, ValueError, "`strategy` must be one of"),
        ({"strategy": "known"}, ValueError, "needs `task_weights`"),
        ({"strategy": "store", "task_weights": KNOWN}, ValueError, "takes no `task_weights`"),
        ({"task_weights": torch.ones(3)}, ValueError, r"`task_weights` must have shape \(2,\)"),
        ({"max_buffer_bytes": -1}, ValueError, "`max_buffer_bytes` must be >= 0"),
        ({"max_buffer_bytes": 1.0}, TypeError, "`max_buffer_bytes` must be an int"),
        ({"backend": "numpy"}, ValueError, "`backend` must be one of"),
    ],
)
def test_refuses(change, error, message, generator):
    leaves, target, task_ids = draw(generator)
    arguments = dict(zip(("hidden", "weight", "bias"), leaves, strict=True)) | {
        "target": target,
        "task_ids": task_ids,
        "n_tasks": 2,
    }
    with pytest.raises(error, match=message):
        task_linear_cross_entropy(**(arguments | change))


@pytest.mark.skipif(not interpreting(), reason="for the emulation, which touches only what it reads")
def test_rows_beyond_32_bits():
    """Three rows 2^30 numbers apart: the third begins at 2^31."""
    from minimax_kernels.linear_cross_entropy import triton_kernels

    stride = 2**30
    tile = torch.empty(2 * stride + 64, dtype=torch.float16)  # pages that nobody touches take no memory
    for row in range(3):
        tile[row * stride : row * stride + 64] = 0.0
    constants = {"N_CLASSES": 64, "WIDTH": 64, "HAS_BIAS": False, "SMOOTHING": 0.0, "Z_LOSS": 0.0, "SOFTCAP": 0.0, "BLOCK": 64}
    losses, lse, labels = torch.zeros(3), torch.zeros(3), torch.tensor([1, 2, 3])
    wide = triton_kernels.tl.float32
    triton_kernels.row_losses[(3,)](tile, None, labels, losses, lse, stride, GRADIENT=False, WIDE=wide, **constants)
    torch.testing.assert_close(losses, torch.full((3,), 64.0).log())
    triton_kernels.row_gradients[(3, 1)](tile, None, labels, lse, stride, WIDE=wide, **constants)
    expected = torch.full((64,), 1.0 / 64)
    expected[3] -= 1.0
    torch.testing.assert_close(tile[2 * stride :].float(), expected)


def test_chunks_cover_all_rows_and_no_boundary():
    head = chunks.Head(torch.zeros(1, 2), torch.zeros(30522, 2), None, torch.zeros(1).long(), chunks.Options(), "torch")
    for count, boundary in ((0, 0), (1, 0), (4096, 0), (4096, 1000), (5000, 5000)):
        pieces = list(head.pieces(count, boundary))
        assert [row for start, stop in pieces for row in range(start, stop)] == list(range(count))
        assert all(stop <= boundary or start >= boundary for start, stop in pieces)
        assert all(stop - start <= 256 for start, stop in pieces)
