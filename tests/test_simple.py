"""h, the 1-norm plus the indicator of a domain: Fenchel, Moreau and the optimality of the prox, for NumPy and torch alike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt import domains
from minimax_opt.arrays import HOST, space_of
from minimax_opt.regularizers import bind
from minimax_opt.simple import simple

N = 6
ENDS = [-np.inf, -2.0, -0.5, 0.0, 0.5, 1.0]
H = {
    "l1": (mo.L1([0.0, 0.1, 0.5, 1.0, 2.0, 3.0]), None),
    "bounded box": (None, mo.Box(-1.0, np.linspace(0.0, 2.0, N))),
    "half-bounded box": (None, mo.Box([-np.inf, 0.0, 0.5, -np.inf, -1.0, -np.inf], [0.0, np.inf, np.inf, -0.5, 1.0, np.inf])),
    "l1 in a bounded box": (
        mo.L1([0.0, 0.1, 0.5, 1.0, 2.0, 3.0]),
        mo.Box([-1.0, -1.0, 0.5, -2.0, 0.0, -1.0], [1.0, 1.0, 2.0, -1.0, 1.0, 0.0]),
    ),
    "l1 in a half-bounded box": (mo.L1([0.0, 0.1, 0.5, 1.0, 2.0, 3.0]), mo.Box(ENDS, np.inf)),
    "ball": (None, mo.Ball(0.7, np.linspace(-1, 1, N))),
    "simplex": (None, domains.Simplex(2.0)),
}


def make(name, space=HOST):
    regularizer, domain = H[name]
    return simple(bind(regularizer, N, space)[1], None if domain is None else domain.bind(N, space))


def draw(rng, scale):
    """Vectors of the given size, with ties at the kinks of h."""
    values = scale * rng.standard_normal(N)
    return np.where(rng.random(N) < 0.2, rng.choice([0.0, 0.5, -0.5, 1.0, -1.0], N), values)


@pytest.mark.parametrize("name", H)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 30.0]), step=st.sampled_from([0.01, 1.0, 7.0]))
def test_prox_fenchel_and_moreau(name, seed, scale, step):
    rng, h = np.random.default_rng(seed), make(name)
    x, s = draw(rng, scale), draw(rng, scale)
    other = h.prox(draw(rng, scale), 1.0)  # any point of the domain
    before = x.copy()
    y = h.prox(x, step)
    np.testing.assert_array_equal(x, before)
    tolerance = 1e-12 * (1 + scale) ** 2
    subgradient = (x - y) / step
    assert h.value(other) >= h.value(y) + subgradient @ (other - y) - tolerance / step  # so y minimises h + |. - x|^2 / (2 step)
    assert h.value(other) >= s @ other - h.conjugate(s) - tolerance  # Fenchel and Young
    best = h.maximizer(s)
    assert (best is None) == (h.conjugate(s) == np.inf)
    if best is not None:
        assert s @ best - h.value(best) == pytest.approx(h.conjugate(s), abs=tolerance)
        np.testing.assert_allclose(
            h.prox(best, 1.0) * 0 + best, h.prox(best + s, 1.0), atol=1e-9 * (1 + scale)
        )  # s is in dh(best)
    if h.separable:
        nudged = h.subgradient(subgradient)  # of a computed y: rounding may leave the edge of dom h* behind
        assert h.conjugate(nudged) == pytest.approx(
            nudged @ y - h.value(y), abs=1e-10 * (1 + scale) ** 2 / step
        )  # equality, and Moreau
        np.testing.assert_allclose(nudged, subgradient, atol=1e-12 * (1 + scale) / step)


@pytest.mark.parametrize("name", [name for name in H if make(name).separable])
@given(seed=st.integers(0, 10**6))
def test_limits_and_kinks(name, seed):
    rng, h = np.random.default_rng(seed), make(name)
    s = h.subgradient(draw(rng, 2.0))
    assert np.isfinite(h.conjugate(s))
    low, high = h.limits(s)
    for i in range(N):
        unit = np.eye(N)[i]
        assert (h.conjugate(s + (high[i] - s[i] + 1e-6) * unit) == np.inf) if np.isfinite(high[i]) else True
        assert (h.conjugate(s - (s[i] - low[i] + 1e-6) * unit) == np.inf) if np.isfinite(low[i]) else True
    kink, room = h.kinks(s)
    for sign in (-1.0, 0.5, 1.0):
        moved = s + sign * room * (1 - 1e-9) * (rng.random(N) < 0.5)
        assert h.conjugate(moved) == pytest.approx(h.conjugate(s) + kink @ (moved - s), abs=1e-12)


@pytest.mark.parametrize("name", H)
def test_torch_agrees(name):
    rng = np.random.default_rng(0)
    tensor = torch.from_numpy(rng.standard_normal(N))
    here, there = make(name), make(name, space_of(tensor))
    for _ in range(20):
        x = rng.standard_normal(N)
        t = torch.from_numpy(x.copy())
        np.testing.assert_allclose(there.prox(t, 0.3).numpy(), here.prox(x, 0.3), atol=1e-12)
        assert there.value(t) == pytest.approx(here.value(x))
        assert there.conjugate(t) == pytest.approx(here.conjugate(x))
        if here.separable:
            np.testing.assert_array_equal(there.subgradient(t).numpy(), here.subgradient(x))
            np.testing.assert_array_equal(there.on_host().prox(x, 0.3), here.prox(x, 0.3))


def test_a_step_for_each_variable():
    h, rng = make("l1 in a half-bounded box"), np.random.default_rng(0)
    x, steps = rng.standard_normal(N), rng.uniform(0.1, 3.0, N)
    np.testing.assert_array_equal(h.prox(x, steps), [h.prox(x, step)[i] for i, step in enumerate(steps)])


@pytest.mark.parametrize("domain", [mo.Ball(1.0), domains.Simplex(), domains.CustomDomain(lambda x: x)])
def test_l1_goes_with_boxes_only(domain):
    tasks = mo.QuadraticTasks(np.eye(2)[None], np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"L1 term goes with no `domain` or a Box.*Leave out one of them"):
        mo.minimize_max(tasks, domain=domain, regularizer=mo.L1(0.1))


def test_a_domain_of_ones_own():
    h = simple(None, domains.CustomDomain(lambda x: np.maximum(x, 0.0)))
    assert h.maximizer(-np.ones(2)) is None
    assert h.conjugate(-np.ones(2)) == np.inf
    assert not h.separable
    assert not h.bounded
