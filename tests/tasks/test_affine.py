"""Affine and Chebyshev tasks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from minimax_opt.tasks import AffineTasks, ChebyshevTasks, check_jacobian

RNG = np.random.default_rng(0)
A, B, X = RNG.standard_normal((6, 3)), RNG.standard_normal(6), RNG.standard_normal(3)
SIGNED = np.vstack([A, -A])
CASES = pytest.mark.parametrize(
    ("family", "slopes", "losses"),
    [(AffineTasks, A, A @ X + B), (ChebyshevTasks, SIGNED, np.concatenate([A @ X - B, B - A @ X]))],
    ids=["affine", "chebyshev"],
)
CONVERT = pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])


@CASES
@CONVERT
def test_losses_and_derivatives(family, slopes, losses, convert):
    tasks = family(convert(A), convert(B))
    evaluation, weights = tasks.at(convert(X)), RNG.dirichlet(np.ones(len(slopes)))
    np.testing.assert_allclose(evaluation.losses, losses, rtol=1e-14)
    np.testing.assert_array_equal(evaluation.jacobian(), slopes)
    np.testing.assert_allclose(evaluation.gradient(convert(weights)), weights @ slopes, atol=1e-15)
    np.testing.assert_array_equal(evaluation.hessian(convert(weights)), np.zeros((3, 3)))
    assert evaluation.self_concordance(convert(weights), np.eye(3)) == 0.0
    assert (tasks.n_tasks, tasks.n_variables, tasks.convex, tasks.curvature) == (len(slopes), 3, True, "affine")
    assert check_jacobian(tasks, convert(X)) < 1e-9


@CASES
@CONVERT
def test_quadratics_are_the_losses(family, slopes, losses, convert):
    P, q, c = family(convert(A), convert(B)).quadratics()
    assert P.shape == (len(slopes), 3, 3)
    assert not P.any()
    np.testing.assert_allclose(q @ X + c, losses, rtol=1e-12, atol=1e-14)


def test_the_worst_case_of_chebyshev_tasks_is_the_largest_absolute_residual():
    assert ChebyshevTasks(A, B)(X).max() == np.abs(A @ X - B).max()


@pytest.mark.parametrize("family", [AffineTasks, ChebyshevTasks])
def test_data_are_checked(family):
    with pytest.raises(ValueError, match=r"`b` must have shape \(6,\), one entry a row, got shape \(5,\)"):
        family(A, B[:5])
    with pytest.raises(ValueError, match=r"`A` must be a matrix \(2-D\), got shape \(6,\)"):
        family(B, B)
    with pytest.raises(ValueError, match="`A` must be finite"):
        family(np.full((2, 2), np.inf), np.zeros(2))
    with pytest.raises(TypeError, match="all NumPy or all torch"):
        family(torch.as_tensor(A), B)


@CASES
@CONVERT
def test_magnitudes_are_those_of_the_terms_of_a_loss(family, slopes, losses, convert):
    x = convert(1e8 * X)
    evaluation = family(convert(A), convert(A @ X * 1e8)).at(x)  # with a sign, all terms cancel
    np.testing.assert_allclose(evaluation.magnitudes, 2e8 * np.abs(slopes @ X), rtol=1e-14)
