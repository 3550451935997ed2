"""Autograd through respond() and worst_case()."""

from __future__ import annotations

import pytest
import torch
from ambiguity.ambiguity_cases import ALL, N_TASKS, SETS, SMOOTH, label
from torch.autograd import gradcheck, gradgradcheck

from minimax_opt.ambiguity import ChiSquareBall, CVaR, KLBall, Simplex, respond, worst_case

over_smooth = pytest.mark.parametrize(("ambiguity", "geometry"), SMOOTH, ids=label)


def random_losses(*shape, seed=0):
    """Away from the kinks with probability 1."""
    return torch.randn(*shape, N_TASKS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)


@over_smooth
@pytest.mark.parametrize("smoothing", [0.4, 5.0])  # 5: the constraints of the smaller balls are slack or tight
def test_weights_have_exact_first_and_second_derivatives(ambiguity, geometry, smoothing):
    def function(losses):
        return respond(losses, ambiguity, smoothing=smoothing, geometry=geometry)

    gradcheck(function, random_losses(2), fast_mode=True)
    gradgradcheck(function, random_losses(2), fast_mode=True)


@pytest.mark.parametrize(
    "ambiguity", [KLBall(0.2), KLBall(0.05, [1, 2, 3, 4, 5]), ChiSquareBall(0.2), ChiSquareBall(0.1, [1, 2, 3, 4, 5])]
)
def test_weights_of_the_balls_are_smooth_without_smoothing(ambiguity):
    gradcheck(lambda f: respond(f, ambiguity), random_losses(3))
    gradgradcheck(lambda f: respond(f, ambiguity), random_losses(3), fast_mode=True)


@over_smooth
def test_the_anchor_has_a_gradient(ambiguity, geometry):
    def function(logits):
        return respond(random_losses().detach(), ambiguity, smoothing=0.4, geometry=geometry, anchor=logits.softmax(-1))

    gradcheck(function, random_losses(seed=1), fast_mode=True)


@pytest.mark.parametrize(("ambiguity", "geometry", "smoothing"), ALL, ids=label)
def test_the_gradient_of_the_value_is_the_weights(ambiguity, geometry, smoothing):
    def value(losses):
        return worst_case(losses, ambiguity, smoothing=smoothing, geometry=geometry)

    losses = random_losses(2)
    (gradient,) = torch.autograd.grad(value(losses).sum(), losses)
    torch.testing.assert_close(gradient, respond(losses, ambiguity, smoothing=smoothing, geometry=geometry), rtol=0, atol=0)
    gradcheck(value, losses, fast_mode=True)
    if smoothing > 0:
        gradgradcheck(value, losses, fast_mode=True)


@pytest.mark.parametrize("ambiguity", SETS, ids=label)
def test_the_gradient_at_ties_is_the_weights_that_share_evenly(ambiguity):
    losses = torch.tensor([2.0, 1.0, 2.0, -torch.inf, 2.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(worst_case(losses, ambiguity), losses)
    torch.testing.assert_close(gradient, respond(losses, ambiguity).detach(), rtol=0, atol=0)


@over_smooth
@pytest.mark.parametrize("losses", [[1.0] * N_TASKS, [2.0, 2.0, 1.0, 0.0, -torch.inf], [1e9, 1e9, 0.0, 0.0, 0.0]])
def test_gradients_are_finite_at_ties_and_without_a_task(ambiguity, geometry, losses):
    losses = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    weights = respond(losses, ambiguity, smoothing=0.5, geometry=geometry)
    (gradient,) = torch.autograd.grad((weights * torch.arange(N_TASKS)).sum(), losses)
    assert gradient.isfinite().all()
    assert gradient.sum().abs() < 1e-12  # a common shift changes nothing


@pytest.mark.parametrize(
    "ambiguity", [Simplex(), CVaR(0.4), KLBall(0.1), ChiSquareBall(0.1), ChiSquareBall(0.1, [1, 2, 3, 4, 5])]
)
def test_torch_func_sees_through(ambiguity):
    geometry = "euclidean" if isinstance(ambiguity, ChiSquareBall) else "entropic"
    losses = random_losses(4).detach()
    gradient = torch.func.grad(lambda f: worst_case(f, ambiguity, smoothing=0.5, geometry=geometry).sum())(losses)
    torch.testing.assert_close(gradient, respond(losses, ambiguity, smoothing=0.5, geometry=geometry))
