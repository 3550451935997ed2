"""Cross-entropy within torch: custom op, compilation, transforms, the gradient in place of the logits."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad

from minimax_kernels import task_cross_entropy
from minimax_kernels.backend import has_triton, interpreting

BACKENDS = ("torch", "native", "triton")

if has_triton():
    import triton
    import triton.language as tl

    from minimax_kernels.cross_entropy.triton_kernels import extent

    @triton.jit
    def offsets(results, row, stride, PIECE: tl.constexpr):
        start, first, last = extent(row, stride, stride, PIECE)
        tl.store(results, start)
        tl.store(results + 1, first)
        tl.store(results + 2, last)


@pytest.fixture
def inputs(device, generator):
    """Hidden states, weight, targets and task ids of a small model."""
    hidden, weight = torch.randn(5, 4, generator=generator), torch.randn(4, 7, generator=generator)
    target, task_ids = torch.tensor([0, 3, -100, 6, 2]), torch.tensor([0, 1, 1, 2, 1])
    return hidden.to(device).requires_grad_(), weight.to(device), target.to(device), task_ids.to(device)


def test_the_ops_are_what_torch_asks_of_an_op(backend, inputs):
    hidden, weight, target, task_ids = inputs
    logits = (hidden @ weight).detach().requires_grad_()
    settings = (0.1, 3.0, backend)
    torch.library.opcheck(torch.ops.minimax_opt.cross_entropy, (logits, target, task_ids, 3, -100, *settings))
    _, largest, log_sums, tasks = torch.ops.minimax_opt.cross_entropy(logits.detach(), target, task_ids, 3, -100, *settings)
    weights = torch.rand_like(largest, requires_grad=True)
    arguments = (weights, torch.rand_like(largest), logits, target, tasks, largest, log_sums, *settings)
    torch.library.opcheck(torch.ops.minimax_opt.cross_entropy_backward, arguments)


def test_compilation_sees_one_graph(backend, inputs):
    hidden, weight, target, task_ids = inputs

    def total(hidden):
        result = task_cross_entropy(hidden @ weight, target, task_ids, 3, z_loss=0.1, inplace_backward=True, backend=backend)
        return (result.task_losses * torch.arange(3, device=hidden.device)).sum() + result.sample_losses[3]

    compiled = torch.compile(total, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(hidden), total(hidden))
    torch.testing.assert_close(torch.autograd.grad(compiled(hidden), hidden), torch.autograd.grad(total(hidden), hidden))


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script:DeprecationWarning"
)  # torch's own use, at its first forward-mode derivative
def test_transforms_of_torch_func(backend, inputs):
    hidden, weight, target, task_ids = inputs
    logits = (hidden @ weight).detach()

    def means(x, backend=backend):
        return task_cross_entropy(
            x, target, task_ids, 3, z_loss=0.1, label_smoothing=0.2, softcap=3.0, backend=backend
        ).task_losses

    batch = torch.stack([logits, 2.0 * logits])
    torch.testing.assert_close(torch.func.vmap(means)(batch), torch.stack([means(x) for x in batch]))
    jacobian = torch.autograd.functional.jacobian(means, logits)
    torch.testing.assert_close(torch.func.jacrev(means)(logits), jacobian)
    torch.testing.assert_close(torch.func.jacfwd(means)(logits), jacobian)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(means(forward_ad.make_dual(logits, torch.ones_like(logits)))).tangent
    torch.testing.assert_close(tangent, jacobian.sum((1, 2)))


@pytest.mark.parametrize("v", [7, 1300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_gradient_takes_the_place_of_the_logits(backend, device, generator, v, dtype):
    x = torch.randn(4, v, generator=generator).to(device, dtype).requires_grad_()
    target, task_ids = torch.tensor([1, -100, 0, 6]).to(device), torch.tensor([0, 0, 1, 1]).to(device)
    options = {"label_smoothing": 0.1, "z_loss": 0.1, "softcap": 4.0, "backend": backend}
    weights = torch.tensor([1.0, -2.0], device=device)

    def gradients(inplace):
        logits = 2.0 * x
        result = task_cross_entropy(logits, target, task_ids, 2, inplace_backward=inplace, **options)
        arrived = []
        logits.register_hook(lambda grad: arrived.append(grad.data_ptr()))
        ((result.task_losses * weights).sum() + result.sample_losses[2]).backward()
        grad, x.grad = x.grad, None
        return grad, arrived == [logits.data_ptr()], logits.detach()

    apart, same_memory, _ = gradients(False)
    assert not same_memory
    over, same_memory, logits = gradients(True)
    assert same_memory
    assert torch.equal(over, apart)
    assert torch.equal(2.0 * logits, over), "the logits hold the gradient"


def test_in_place_refuses_what_it_would_destroy(backend, device):
    leaf = torch.zeros(2, 3, 4, device=device, requires_grad=True)
    index = torch.zeros(2, 3, dtype=torch.int64, device=device)
    options = {"inplace_backward": True, "backend": backend}
    for logits in (leaf, leaf.view(3, 2, 4).view(2, 3, 4)):
        with pytest.raises(ValueError, match="a leaf of the graph"):
            task_cross_entropy(logits, index, index, 1, **options)
    for logits in ((2 * leaf)[:, :2], (2 * leaf)[:1, :1].expand(2, 3, 4), (2 * leaf).transpose(0, 1)):
        cut = index[:, : logits.shape[1]] if logits.shape[0] == 2 else index.T
        with pytest.raises(ValueError, match="rows lie apart at one distance"):
            task_cross_entropy(logits, cut, cut, 1, **options)
    with torch.no_grad():
        task_cross_entropy(leaf, index, index, 1, **options)
    assert not leaf.any()


def test_autograd_refuses_others_that_need_the_overwritten_logits(backend, device):
    x = torch.zeros(3, 4, device=device, requires_grad=True)
    index = torch.zeros(3, dtype=torch.int64, device=device)
    logits = torch.tanh(x)  # its backward needs its result
    result = task_cross_entropy(logits, index, index, 1, inplace_backward=True, backend=backend)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.task_losses.sum().backward()
    logits = 2.0 * x
    result = task_cross_entropy(logits, index, index, 1, inplace_backward=True, backend=backend)
    result.task_losses.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.task_losses.sum().backward()


@pytest.mark.skipif(not has_triton(), reason="Triton is not installed")
@pytest.mark.parametrize("row", [3, 2**20 + 1, 2**31 - 1])
def test_offsets_of_rows_do_not_overflow(row):
    """Of 2^31 - 1 rows of 30522 entries the last: arithmetic only, nothing is read."""
    results = torch.zeros(3, dtype=torch.int64, device="cuda" if torch.cuda.is_available() else "cpu")
    offsets[(1,)](results, row, 30522, 8)
    start = row * 30522
    assert results.tolist() == [start, -(-start // 8) * 8, (start + 30522) // 8 * 8]


@pytest.mark.skipif(not (has_triton() and interpreting()), reason="for the emulation, which touches only what it reads")
@pytest.mark.parametrize("n_classes", [64, 5000])
def test_rows_beyond_32_bits(n_classes):
    """Three rows 2^30 numbers apart: the third begins at 2^31."""
    stride = 2**30
    tile = torch.empty(2 * stride + n_classes, dtype=torch.float16)  # pages that nobody touches take no memory
    logits = tile.as_strided((3, n_classes), (stride, 1))
    logits.zero_()
    target, task_ids = torch.tensor([1, 2, 3]), torch.tensor([0, 1, 1])
    result = task_cross_entropy(logits.requires_grad_(), target, task_ids, 2, backend="triton")
    torch.testing.assert_close(result.sample_losses, torch.full((3,), float(n_classes)).log())
    (grad,) = torch.autograd.grad(result.sample_losses[2], logits)
    assert float(grad[2, 3]) == pytest.approx(1.0 / n_classes - 1.0, abs=1e-3)
