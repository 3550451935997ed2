"""project_simplex and project_capped_simplex beside the reference: errors, derivatives, what torch asks of an op, repeatability."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from minimax_kernels import project_capped_simplex, project_simplex
from minimax_kernels.backend import native_ops
from minimax_kernels.simplex import composed, reference, registration

SUMMING = 16  # eps * scale: a sum adds up to 64 terms one after the other before it goes on in pairs, or in double precision
ROUNDING = 4  # eps * scale: v - max, tau and the result are rounded once each, the sum of the row a few times more
CAPS = torch.tensor([0.5, 0.1, 0.3, 0.2, 0.4, 0.2], dtype=torch.float64)


def kinds(generator, rows, length):
    """Rows of every kind: spread out, all in the support, tied, far from 0, of geometric sizes, of one large entry, with -inf."""
    noise = torch.randn(rows, length, dtype=torch.float64, generator=generator)
    with_infinity = torch.where(torch.rand(rows, length, generator=generator) < 0.3, -torch.inf, noise)
    with_infinity[:, 0] = 0.0
    return {
        "gauss": noise,
        "dense": noise / length,
        "ties": (2 * noise).round() / 2,
        "constant": torch.full_like(noise, 0.1),
        "offset": noise + 1e6,
        "wide": 1e4 * noise,
        "geometric": -(0.5 ** torch.arange(length, dtype=torch.float64).clamp(max=60)).expand_as(noise).contiguous(),
        "vertex": torch.nn.functional.one_hot(torch.arange(rows) % length, length).double() * 3,
        "infinity": with_infinity,
    }


def plain_projection(v, scale):
    """The textbook's projection in the dtype of v, shifted by the largest entry."""
    x = v - v.amax(-1, keepdim=True)
    ordered = x.sort(-1, descending=True).values
    ranks = torch.arange(1, v.shape[-1] + 1, dtype=v.dtype)
    size = (ranks * ordered > ordered.cumsum(-1) - scale).sum(-1, keepdim=True)
    tau = (ordered.cumsum(-1).gather(-1, size - 1) - scale) / size
    return (x - tau).clamp(min=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "length"), [(0, 3), (5, 1), (9, 2), (7, 33), (9, 64), (3, 65), (2, 1000), (1, 16385)])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_errors_are_at_most_those_of_plain_torch(backend, device, generator, dtype, rows, length, scale):
    for kind, v in kinds(generator, rows, length).items():
        v = v.to(dtype)
        w = project_simplex(v.to(device), scale, backend=backend).cpu()
        assert w.shape == v.shape
        assert w.dtype == dtype
        if rows:
            truth = reference.project_simplex(v, scale)
            error, plain = (w - truth).abs().max(), (plain_projection(v, scale) - truth).abs().nan_to_num(0.0).max()
            assert error <= plain + ROUNDING * torch.finfo(dtype).eps * scale, kind
            assert (w.double().sum(-1) - scale).abs().max() <= SUMMING * torch.finfo(dtype).eps * scale, kind


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "length"), [(0, 3), (2, 1), (3, 6), (1, 33), (1, 10_000)])
@pytest.mark.parametrize("with_rows_of_caps", [False, True])
def test_errors_with_caps(backend, device, generator, dtype, rows, length, with_rows_of_caps):
    caps = (torch.rand(rows if with_rows_of_caps else 1, length, dtype=torch.float64, generator=generator) + 0.4) * 3 / length
    caps = (caps if with_rows_of_caps else caps[0]).to(dtype)
    for kind, v in kinds(generator, rows, length).items():
        if backend == "triton" and length > 6 and kind not in ("gauss", "wide"):
            continue  # slow where it is emulated
        v = v.to(dtype)
        w = project_capped_simplex(v.to(device), caps.to(device), 0.37, backend=backend).cpu()
        if rows:
            eps = torch.finfo(dtype).eps
            truth = reference.project_capped_simplex(v, caps, 0.37)
            assert (w - truth).abs().max() <= ROUNDING * eps, kind
            assert (w.double().sum(-1) - 0.37).abs().max() <= SUMMING * eps, kind


@pytest.mark.parametrize("length", [6, 70])
def test_the_derivatives_are_those_of_the_reference(backend, device, generator, length):
    caps = CAPS.repeat(length // 6 + 1)[:length] * 6 / length
    v = torch.randn(3, length, dtype=torch.float64, generator=generator)
    g = torch.randn(3, length, dtype=torch.float64, generator=generator)
    for project, cap in (
        (lambda x: project_simplex(x, backend=backend), None),
        (lambda x: project_capped_simplex(x, caps.to(device), backend=backend), caps),
    ):
        x = v.to(device).requires_grad_()
        w = project(x)
        (found,) = torch.autograd.grad(w, x, g.to(device))
        expected = torch.stack([reference.jacobian(row, cap) @ up for row, up in zip(w.detach().cpu(), g, strict=True)])
        torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-14)


def test_gradients_of_any_order(backend, device, generator):
    v = torch.randn(2, 3, 6, dtype=torch.float64, generator=generator).to(device).requires_grad_()
    caps = CAPS.clone().to(device).requires_grad_()
    rows_of_caps = torch.full((2, 1, 6), 0.3, dtype=torch.float64, device=device, requires_grad=True)
    few = v[0, :1].detach().requires_grad_() if backend == "triton" else v
    fast = backend == "triton"
    gradcheck(lambda x: project_simplex(x, 3.0, backend=backend), v, fast_mode=fast)
    gradgradcheck(lambda x: project_simplex(x, backend=backend), v, fast_mode=fast)
    gradcheck(lambda x, c: project_capped_simplex(x, c, backend=backend), (few, caps), fast_mode=fast)
    gradgradcheck(lambda x, c: project_capped_simplex(x, c, backend=backend), (few, caps), fast_mode=fast)
    if not fast:
        gradcheck(lambda x, c: project_capped_simplex(x, c, backend=backend), (v, rows_of_caps))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradients_in_every_dtype(backend, device, generator, dtype):
    v = torch.randn(5, 300, generator=generator).mul(0.01).to(device, dtype).requires_grad_()
    g = torch.randn(5, 300, generator=generator).to(device, dtype)
    for project in (
        lambda x: project_simplex(x, backend=backend),
        lambda x: project_capped_simplex(x[:1], 0.006, backend=backend),
    ):
        w = project(v)
        (found,) = torch.autograd.grad(w, v, g[: len(w)])
        assert found.dtype == dtype
        exact = v.detach().double().requires_grad_()
        (expected,) = torch.autograd.grad(project(exact), exact, g[: len(w)].double())
        eps = torch.finfo(dtype).eps
        # On the boundary of the support a rounding decides; in the narrow dtypes of the emulation, rounding is by truncation.
        close = (found.double() - expected).abs() <= 4 * eps * (1 + g.abs().max())
        assert close.double().mean() >= 0.99


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, in forward mode
def test_forward_mode_and_transforms_agree(generator):
    v = torch.randn(4, 6, dtype=torch.float64, generator=generator)
    t = torch.randn(4, 6, dtype=torch.float64, generator=generator)
    for project in (project_simplex, lambda x: project_capped_simplex(x, CAPS)):
        torch.testing.assert_close(torch.func.vmap(project)(v), project(v), rtol=0, atol=1e-15)
        x = v.clone().requires_grad_()
        (expected,) = torch.autograd.grad(project(x), x, t)  # the Jacobian is symmetric
        torch.testing.assert_close(torch.func.jvp(project, (v,), (t,))[1], expected)
        torch.testing.assert_close(torch.func.vjp(project, v)[1](t)[0], expected)
        with forward_ad.dual_level():
            dual = project(forward_ad.make_dual(v, t))
            torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, expected)
    whole = torch.func.jacrev(project_simplex)(v[0])
    torch.testing.assert_close(whole, reference.jacobian(project_simplex(v[0])), rtol=0, atol=1e-15)


def test_a_cap_of_zero_gets_no_gradient(backend, device):
    v = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64, device=device)
    caps = torch.tensor([0.0, 0.6, 1.0], dtype=torch.float64, device=device, requires_grad=True)
    w = project_capped_simplex(v, caps, backend=backend)
    (found,) = torch.autograd.grad(w, caps, torch.tensor([5.0, 2.0, 3.0], dtype=torch.float64, device=device))
    assert w.tolist() == pytest.approx([0.0, 0.6, 0.4])
    assert found.tolist() == pytest.approx([0.0, -1.0, 0.0])


@pytest.mark.filterwarnings("ignore:.*is not currently supported:UserWarning")
def test_what_torch_asks_of_an_op(backend, device, generator):
    for shape in ((2, 6), (0, 6)):
        v = torch.randn(*shape, generator=generator).to(device).requires_grad_()
        w, g = project_simplex(v.detach()), torch.randn(*shape, generator=generator).to(device).requires_grad_()
        caps = CAPS.float().to(device).requires_grad_()
        torch.library.opcheck(registration.project, (v, 1.0, backend))
        torch.library.opcheck(registration.tangent, (w, g, backend))
        torch.library.opcheck(registration.project_capped, (v, caps, 1.0, backend))
    transposed = torch.randn(6, 2, generator=generator).to(device).T.requires_grad_()
    torch.library.opcheck(registration.project, (transposed, 1.0, backend))


def test_compiles_into_one_graph(backend, device, generator):
    v = torch.randn(3, 6, generator=generator).to(device).requires_grad_()

    def both(x):
        return (
            project_simplex(x, 0.5, backend=backend).square().sum() + project_capped_simplex(x, 0.3, backend=backend).cos().sum()
        )

    expected = torch.autograd.grad(both(v), v)
    found = torch.autograd.grad(torch.compile(both, fullgraph=True, backend="aot_eager")(v), v)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_twenty_runs_give_the_same_bits(backend, device, generator):
    v = torch.randn(3, 500, generator=generator).mul(0.01).to(device).requires_grad_()
    g = torch.randn(3, 500, generator=generator).to(device)
    for project, runs in (
        (lambda x: project_simplex(x, backend=backend), 20),
        (lambda x: project_capped_simplex(x, 0.004, backend=backend), 20 if backend != "triton" or device.type == "cuda" else 2),
    ):
        first = project(v)
        gradient = torch.autograd.grad(first, v, g)[0]
        for _ in range(runs):
            again = project(v)
            assert torch.equal(again, first)
            assert torch.equal(torch.autograd.grad(again, v, g)[0], gradient)


def test_a_row_does_not_depend_on_its_neighbours(backend, device, generator):
    for length in (5, 90):
        v = torch.randn(11, length, generator=generator).to(device)
        alone = torch.stack([project_simplex(row, backend=backend) for row in v])
        assert torch.equal(project_simplex(v, backend=backend), alone)


def test_offsets_pass_two_to_the_31(monkeypatch):
    """The last row of more than 2^31 entries, of which nothing else is ever touched."""
    pytest.importorskip("triton")
    from minimax_kernels.simplex import capped_kernel, triton_kernels

    if torch.cuda.is_available():
        pytest.skip("needs the emulation, to run one program only")
    from triton.runtime.interpreter import interpreter_builder

    length, rows = 8192, 2**31 // 8192 + 2
    v, w = (torch.empty(rows, length, dtype=torch.bfloat16) for _ in range(2))
    v[-1] = torch.linspace(0, 1, length)
    last = project_simplex(v[-1].clone(), backend="torch")
    monkeypatch.setattr(
        interpreter_builder, "set_grid_idx", lambda *_: setattr(interpreter_builder, "grid_idx", (rows - 1, 0, 0))
    )
    constants = {"COMPUTE": triton_kernels.compute_dtype(v), "BLOCK": length}
    assert rows * length > 2**31
    triton_kernels.project_short_rows[(1,)](v, w, rows, length, 1.0, ROWS=1, **constants)
    torch.testing.assert_close(w[-1], last, rtol=0.01, atol=0)
    triton_kernels.project_long_row[(1,)](v, w, length, 1.0, SLACK=triton_kernels.slack(v.dtype), **constants)
    torch.testing.assert_close(w[-1], last, rtol=0.01, atol=0)
    triton_kernels.tangent_rows[(1,)](w, v, v, rows, length, ROWS=1, **constants)
    assert float(v[-1].sum()) == pytest.approx(0.0, abs=0.1)
    v[-1] = torch.linspace(0, 1, length)
    capped, _ = capped_kernel.configuration(torch.float32, length)
    capped_kernel.project_capped_row[(1,)](v, v[-1].clone().fill_(1.0), w, length, 0, 1.0, **capped)
    torch.testing.assert_close(w[-1], last, rtol=0.01, atol=0)


@pytest.mark.skipif(native_ops() is None, reason="the C module was not built")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [5, 64, 70, 1000])
def test_what_runs_on_every_processor_gives_the_same(generator, dtype, length):
    v, g = torch.randn(2, 9, length, dtype=dtype, generator=generator)
    caps, kind, w, out = torch.full((length,), 2.0 / length, dtype=dtype), 2 + (dtype == torch.float64), v.clone(), v.clone()
    native_ops().simplex_project(v.data_ptr(), w.data_ptr(), 9, length, kind, 1.0)
    torch.testing.assert_close(w, project_simplex(v, backend="native"))
    native_ops().simplex_tangent(w.data_ptr(), g.data_ptr(), out.data_ptr(), 9, length, kind)
    torch.testing.assert_close(out, registration.tangent(w, g, "native"))
    native_ops().simplex_project_capped(v.data_ptr(), caps.data_ptr(), w.data_ptr(), 9, length, 0, kind, 1.0)
    torch.testing.assert_close(w, project_capped_simplex(v, caps, backend="native"))


def test_the_environment_names_the_backend(monkeypatch):
    monkeypatch.setenv("MINIMAX_OPT_BACKEND", "torch")
    monkeypatch.setattr(composed, "project_simplex", lambda v, scale: v + scale)
    assert project_simplex(torch.tensor([1.0, 0.5])).tolist() == [2.0, 1.5]
