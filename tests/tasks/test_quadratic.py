"""Quadratic tasks: derivatives, convexity that is proven or not, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minimax_opt.tasks import QuadraticTasks
from minimax_opt.tasks.base import HostEvaluation

RNG = np.random.default_rng(0)
K, N = 4, 3
ROOTS = RNG.standard_normal((K, N, N))
P, Q, C, X = ROOTS @ ROOTS.swapaxes(1, 2) + np.eye(N), RNG.standard_normal((K, N)), RNG.standard_normal(K), RNG.standard_normal(N)


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_losses_and_derivatives_equal_those_of_autograd(convert):
    tasks, weights = QuadraticTasks(convert(P), convert(Q), convert(C)), RNG.dirichlet(np.ones(K))

    def losses(x):
        return 0.5 * torch.einsum("i,kij,j->k", x, torch.tensor(P), x) + torch.tensor(Q) @ x + torch.tensor(C)

    x, w = torch.tensor(X), torch.tensor(weights)
    evaluation = tasks.at(convert(X))
    jacobian = torch.autograd.functional.jacobian(losses, x)
    np.testing.assert_allclose(evaluation.losses, losses(x), rtol=1e-13)
    np.testing.assert_allclose(evaluation.jacobian(), jacobian, rtol=1e-12)
    np.testing.assert_allclose(evaluation.gradient(convert(weights)), w @ jacobian, rtol=1e-12)
    np.testing.assert_allclose(
        evaluation.hessian(convert(weights)), torch.autograd.functional.hessian(lambda y: w @ losses(y), x), rtol=1e-12
    )
    assert evaluation.self_concordance(convert(weights), np.eye(N)) == 0.0
    for ours, given_ in zip(tasks.quadratics(), (P, Q, C), strict=True):
        np.testing.assert_array_equal(ours, given_)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([-1, 0, 3]),
    st.lists(st.integers(0, 8), min_size=2, max_size=5),
    st.integers(0, 2**32 - 1),
    st.integers(-12, 12),
)
def test_convexity_is_what_the_spectrum_says(smallest, rest, seed, exponent):
    """Matrices of known spectrum, at all scales: never a false claim, and no doubt where the eigenvalues are clear."""
    spectrum = [smallest, *(max(value, smallest) for value in rest)]
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum),) * 2))[0]
    scale = 10.0**exponent
    matrix = scale * (basis * spectrum) @ basis.T
    tasks = QuadraticTasks((matrix + matrix.T)[None] / 2)
    assert tasks.convex == (smallest >= 0)
    assert 0 <= tasks.strong_convexity <= scale * max(smallest, 0)
    if smallest > 0:
        assert tasks.strong_convexity == pytest.approx(scale * smallest, rel=1e-12)


def test_one_indefinite_task_makes_the_family_nonconvex():
    tasks = QuadraticTasks(np.stack([np.eye(2), np.diag([1.0, -1e-6])]))
    assert not tasks.convex
    assert tasks.strong_convexity == 0.0


REFUSED = {
    "matrix": (
        (np.eye(2),),
        ValueError,
        r"`P` must have shape \(K, n, n\) with K, n >= 1, got shape \(2, 2\); one task is `P\[None\]`",
    ),
    "not square": ((np.ones((1, 2, 3)),), ValueError, r"`P` must have shape \(K, n, n\)"),
    "asymmetric": (
        (np.stack([np.eye(2), [[1, 1], [0, 1]]]),),
        ValueError,
        r"`P`, task 1, must be symmetric, got entries that differ by 1;",
    ),
    "nan": ((np.full((1, 2, 2), np.nan),), ValueError, "`P` must be finite"),
    "q": ((P, Q[:2]), ValueError, r"`q` must have shape \(4, 3\), got shape \(2, 3\)"),
    "c": ((P, Q, C[:2]), ValueError, r"`c` must have shape \(4,\), got shape \(2,\)"),
    "mixture": ((torch.as_tensor(P), Q), TypeError, "P, q and c must be all NumPy or all torch"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_data_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        QuadraticTasks(*arguments)


def test_magnitudes_are_those_of_the_terms_of_a_loss():
    tasks = QuadraticTasks([[[2.0]], [[2.0]]], [[-2e4], [0.0]], [1e8, -1.0])  # (x - 1e4)^2 and x^2 - 1
    for family in (tasks, QuadraticTasks(*map(torch.as_tensor, tasks.quadratics()))):
        x = family.space.asarray(np.array([1e4]))
        assert family.at(x).magnitudes.tolist() == [4e8, 1e8 + 1]
        seen = HostEvaluation(family.at(x), family.space)
        assert isinstance(seen.magnitudes, np.ndarray)
        assert seen.magnitudes.tolist() == [4e8, 1e8 + 1]


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("asymmetry", [0.0, 1e-13])
def test_asymmetry_within_rounding_is_removed(convert, asymmetry):
    given_ = np.array([[[1.0, 1.0 + asymmetry], [1.0 - asymmetry, 1.0]]])  # the symmetric part is singular
    tasks = QuadraticTasks(convert(given_))
    assert (tasks.convex, tasks.strong_convexity) == (True, 0.0)
    np.testing.assert_array_equal(tasks.quadratics()[0], np.ones((1, 2, 2)))
    assert given_[0, 0, 1] == 1.0 + asymmetry
