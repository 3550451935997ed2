"""Mirror and projected ascent: the formulas, dead weights, floors, absent tasks, low precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nn.weighting_cases import over_ascents

from minimax_opt import Simplex
from minimax_opt.nn import MirrorAscentWeighting, ProjectedAscentWeighting

PRIOR = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
SCORES = torch.tensor([1.0, 0.4, 0.7, -0.3], dtype=torch.float64)


def initial(weighting, n=4):
    return weighting.initial_state(n).double()


@pytest.mark.parametrize("floor", [0.0, 0.05])
@pytest.mark.parametrize(("kind", "geometry"), [(MirrorAscentWeighting, "entropic"), (ProjectedAscentWeighting, "euclidean")])
def test_a_step_is_the_response_with_the_previous_weights_as_anchor(kind, geometry, floor):
    weighting = kind(0.3, floor=floor)
    ambiguity = Simplex(prior=PRIOR.tolist(), floor=floor)
    state, weights = initial(weighting), PRIOR
    for step in range(20):
        scores = SCORES * (-1) ** (step // 5)
        state = weighting.advance(state, scores, PRIOR)
        weights = ambiguity.respond(scores, smoothing=1 / 0.3, geometry=geometry, anchor=weights)
        torch.testing.assert_close(weighting.weights(scores, PRIOR, state), weights, rtol=1e-10, atol=1e-12)


@over_ascents
def test_absent_tasks_keep_their_weight_exactly(weighting):
    prior = weighting.step_prior(weighting.prior_tensor(4).double(), torch.tensor([1.0, 2.0, 3.0, 4.0]).double())
    state = initial(weighting)
    for _ in range(3):
        state = weighting.advance(state, SCORES, prior)
    before = weighting.weights(SCORES, prior, state)
    for _ in range(50):
        gone = torch.where(torch.tensor([True, True, False, True]), prior, 0.0)
        new = weighting.advance(state, SCORES, gone)
        assert new[2] == state[2]  # bit for bit
        state = new
    after = weighting.weights(SCORES, prior, state)
    assert after[2].item() == pytest.approx(before[2].item(), rel=1e-9)  # group DRO's falls to 1e-5 here
    assert after[0] > before[0]
    absent = weighting.weights(SCORES, gone, state)
    assert absent[2] == 0
    assert absent.sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(absent, torch.where(gone > 0, after, 0.0) / (1 - after[2]), rtol=1e-5, atol=1e-9)


@over_ascents
def test_alone_in_a_step_nothing_moves(weighting):
    prior = torch.tensor([0.0, 0.7, 0.0, 0.0], dtype=torch.float64)
    state = weighting.advance(initial(weighting), SCORES * 5, prior)
    torch.testing.assert_close(state, initial(weighting), rtol=0, atol=1e-12)


@over_ascents
def test_nobody_present_moves_nothing(weighting):
    state = weighting.advance(initial(weighting), SCORES, PRIOR)
    assert torch.equal(weighting.advance(state, SCORES, torch.zeros(4).double()), state)


def test_dead_weights_come_back():
    """Kept as logarithms: after 2000 steps of the worst kind the weight is 1e-870, and returns."""
    weighting, prior = MirrorAscentWeighting(1.0), torch.tensor([0.5, 0.5], dtype=torch.float64)
    state = torch.zeros(2)
    for sign in (1.0, -1.0):
        for _ in range(2000):
            state = weighting.advance(state.double(), torch.tensor([sign, 0.0]).double(), prior).float()
        weights = weighting.weights(state.double(), prior, state.double())
    assert weights[1] > 0.4
    assert weights.isfinite().all()


def test_huge_losses_overflow_nothing():
    weighting, prior, state = MirrorAscentWeighting(1.0), PRIOR, torch.zeros(4)
    for scale in (90.0, 1e4, 1e30, 3e38):
        state = weighting.advance(state.double(), SCORES * scale, prior).float()
        weights = weighting.weights(SCORES, prior, state.double())
        assert weights.isfinite().all()
        assert state.isfinite().all()
    assert weights[0] == 1


def test_small_steps_are_not_lost():
    """In bfloat16, or as multiplied float probabilities in low precision, 2000 steps of 1e-3 would do nothing."""
    weighting, prior, state = MirrorAscentWeighting(1e-3), torch.full((3,), 1 / 3, dtype=torch.float64), torch.zeros(3)
    scores = torch.tensor([1.0, 0.0, 0.0]).double()
    for _ in range(2000):
        state = weighting.advance(state.double(), scores, prior).float()
    expected = np.exp(2.0) / (np.exp(2.0) + 2)
    assert weighting.weights(scores, prior, state.double())[0].item() == pytest.approx(expected, rel=1e-5)


def test_floor_one_is_the_prior_and_step_zero_stands_still():
    for kind in (MirrorAscentWeighting, ProjectedAscentWeighting):
        for weighting in (kind(1.0, floor=1.0), kind(0.0)):
            state = weighting.advance(initial(weighting), SCORES, PRIOR)
            torch.testing.assert_close(weighting.weights(SCORES, PRIOR, state), PRIOR, rtol=1e-12, atol=0)


def test_floor_bounds_every_weight_and_lets_a_task_return_at_once():
    weighting, state = MirrorAscentWeighting(5.0, floor=0.02), torch.zeros(4).double()
    for _ in range(100):
        state = weighting.advance(state, SCORES, PRIOR)
    assert (weighting.weights(SCORES, PRIOR, state) >= 0.02 * PRIOR - 1e-12).all()


def test_projected_ascent_reaches_zero_and_returns():
    weighting, state = ProjectedAscentWeighting(0.5), torch.zeros(4).double()
    for _ in range(10):
        state = weighting.advance(state, SCORES, PRIOR)
    weights = weighting.weights(SCORES, PRIOR, state)
    assert weights[0] == 1
    for _ in range(10):
        state = weighting.advance(state, -SCORES, PRIOR)
    assert weighting.weights(SCORES, PRIOR, state)[3] > 0.9
