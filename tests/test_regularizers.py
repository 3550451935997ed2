"""r(x): value, gradient and Hessian belong together; proven strong convexity; errors."""

import numpy as np
import pytest
import torch

import minimax_opt as mo
from minimax_opt.arrays import HOST, space_of
from minimax_opt.regularizers import bind

Q = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.5]])


@pytest.mark.parametrize("regularizer", [mo.Ridge(0.3), mo.Ridge([0.1, 0.0, 2.0]), mo.QuadraticRegularizer(Q, [1.0, -1.0, 0.5])])
def test_derivatives_and_strong_convexity(regularizer):
    rng, bound = np.random.default_rng(0), regularizer.bind(3, HOST)
    hessian = bound.hessian(3)
    for _ in range(10):
        x, h = rng.standard_normal((2, 3))
        exact = bound.value(x) + bound.gradient(x) @ h + h @ hessian @ h / 2
        assert bound.value(x + h) == pytest.approx(exact, rel=1e-12)
    assert 0 <= bound.strong_convexity <= np.linalg.eigvalsh(hessian)[0] + 1e-15
    tensor = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert regularizer.bind(3, space_of(tensor)).value(tensor) == pytest.approx(bound.value(tensor.numpy()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mo.Ridge(-0.1), "`strength` must be a finite number >= 0.*non-convex"),
        (lambda: mo.Ridge([1.0, np.inf]), "`strength` must be"),
        (lambda: mo.L1(-0.1), "`strength` must be a finite number >= 0.*non-convex"),
        (lambda: mo.L1([1.0, np.nan]), "`strength` must be a finite number >= 0"),
        (lambda: mo.L1([[1.0]]), "`strength` must be a number or a vector"),
        (lambda: bind(mo.Ridge(1.0) + mo.L1([1.0, 2.0]), 3, HOST), r"`strength` must be one number or have shape \(3,\)"),
        (lambda: mo.QuadraticRegularizer(np.ones((2, 3))), "`Q` must be a finite square matrix"),
        (lambda: mo.QuadraticRegularizer([[1.0, 2.0], [0.0, 1.0]]), "`Q` must be symmetric"),
        (lambda: mo.QuadraticRegularizer(-np.eye(2)), "`Q` must be positive semidefinite"),
        (lambda: mo.QuadraticRegularizer(np.eye(2), [1.0]), r"`c` must have shape \(2,\)"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_asymmetry_within_rounding_is_removed():
    bound = mo.QuadraticRegularizer([[1.0, 1 + 4e-11], [1 - 4e-11, 1.0]])  # the symmetric part is singular
    assert bound.strong_convexity == 0.0
    np.testing.assert_array_equal(bound.hessian(2), np.ones((2, 2)))


def test_negative_curvature_beside_a_large_one_is_refused():
    with pytest.raises(ValueError, match=r"`Q` must be positive semidefinite, its smallest eigenvalue is -0\.0001"):
        mo.QuadraticRegularizer(np.diag([1e12, -1e-4]))


@pytest.mark.parametrize(
    "terms",
    [
        (mo.Ridge(0.3), mo.Ridge([0.1, 0.0, 2.0])),
        (mo.Ridge(0.3), mo.QuadraticRegularizer(Q, [1.0, -1.0, 0.5]), mo.L1(0.5)),
        (mo.L1(0.5), mo.L1([0.0, 1.0, 2.0]), mo.QuadraticRegularizer(Q), mo.QuadraticRegularizer(np.eye(3))),
        (mo.L1(0.1), mo.Ridge([0.1, 0.0, 2.0])),
    ],
)
def test_a_sum_is_the_sum(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    quadratic, l1 = bind(total, 3, HOST)
    smooth = [term.bind(3, HOST) for term in terms if not isinstance(term, mo.L1)]
    rng = np.random.default_rng(0)
    for x in rng.standard_normal((5, 3)):
        assert quadratic.value(x) == pytest.approx(sum(term.value(x) for term in smooth), rel=1e-12)
        np.testing.assert_allclose(quadratic.gradient(x), sum(term.gradient(x) for term in smooth), rtol=1e-12)
        expected = sum(float(np.sum(term.strength * np.abs(x))) for term in terms if isinstance(term, mo.L1))
        assert (0.0 if l1 is None else l1 @ np.abs(x)) == pytest.approx(expected)
    assert quadratic.strong_convexity <= np.linalg.eigvalsh(quadratic.hessian(3))[0] * (1 + 1e-12)
    assert repr(total).startswith(repr(terms[0]))


def test_nothing_is_bound_to_nothing():
    assert bind(None, 3, HOST) == (None, None)
    assert bind(mo.L1(0.0), 3, HOST) == (None, None)
    with pytest.raises(TypeError):
        mo.L1(1.0) + 0.5
