"""Projections and linear minimisers: the variational inequalities that define them, for NumPy and torch alike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt import domains
from minimax_opt.arrays import HOST, space_of

N = 9
DOMAINS = {
    "box": mo.Box(-1.0, np.linspace(0.0, 2.0, N)),
    "ball": mo.Ball(0.7, np.linspace(-1, 1, N)),
    "simplex": domains.Simplex(2.0),
    "fantope": mo.Fantope(3, 2),
}


def symmetric(x):
    return ((x.reshape(3, 3) + x.reshape(3, 3).T) / 2).ravel()


@pytest.mark.parametrize("name", DOMAINS)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_projection_and_linear_minimiser(name, seed, scale):
    rng, domain = np.random.default_rng(seed), DOMAINS[name].bind(N, HOST)
    x, y, g = (scale * rng.standard_normal(N) for _ in range(3))
    if name == "fantope":
        x, y, g = symmetric(x), symmetric(y), symmetric(g)
    before = x.copy()
    px, py = domain.project(x), domain.project(y)
    np.testing.assert_array_equal(x, before)
    assert domain.contains(px)
    assert (x - px) @ (py - px) <= 1e-9 * max(1.0, scale) ** 2  # the projection's variational inequality
    corner = domain.minimize_linear(g)
    assert domain.contains(corner)
    assert g @ corner <= g @ py + 1e-9 * scale * max(1.0, np.linalg.norm(py))
    tensor = torch.from_numpy(x.copy())
    bound = DOMAINS[name].bind(N, space_of(tensor))
    np.testing.assert_allclose(bound.project(tensor).numpy(), px, atol=1e-10 * max(1.0, scale))
    np.testing.assert_allclose(g @ bound.minimize_linear(torch.from_numpy(g.copy())).numpy(), g @ corner, rtol=1e-9)


def test_unbounded_sets_know_it():
    assert not mo.Box(0.0, np.inf).bounded
    assert mo.Box(0.0, 1.0).bounded
    assert not domains.CustomDomain(lambda x: x).bounded
    with pytest.raises(ValueError, match="no linear minimiser"):
        domains.CustomDomain(lambda x: x).minimize_linear(np.zeros(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mo.Box(1.0, 0.0), "`lower` must be <= `upper`"),
        (lambda: mo.Box([0, 0], [1, 1, 1]), "same shape"),
        (lambda: mo.Box(np.nan, 1.0), "without nan"),
        (lambda: mo.Ball(0.0), "`radius` must be a finite number > 0"),
        (lambda: mo.Ball(1.0, [np.inf]), "`center` must be finite"),
        (lambda: domains.Simplex(-1.0), "`scale` must be"),
        (lambda: mo.Fantope(0, 1), "`dimension` must be an integer >= 1"),
        (lambda: mo.Fantope(3, 4), r"`rank` must be an integer in \[1, 3\]"),
        (lambda: domains.CustomDomain(3), "`project` must be a function"),
    ],
)
def test_errors(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
