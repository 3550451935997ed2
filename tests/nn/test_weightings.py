"""Weights from scores: what they must be for any losses, in the limits, with absent and unknown tasks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nn.weighting_cases import ALL, MEMORYLESS, N_TASKS, over_all, over_memoryless

from minimax_opt import CVaR, KLBall, Simplex
from minimax_opt.nn import (
    CVaRWeighting,
    KLBallWeighting,
    MacroAverageWeighting,
    MirrorAscentWeighting,
    ProjectedAscentWeighting,
    ResponseWeighting,
    SampleAverageWeighting,
    SoftmaxWeighting,
    WorstTaskWeighting,
)

COUNTS = torch.tensor([5.0, 1.0, 3.0, 7.0], dtype=torch.float64)
NAN, INF = math.nan, math.inf


def weights_of(weighting, scores, counts=COUNTS, absent="share", state=None):
    scores = torch.as_tensor(scores, dtype=torch.float64)
    n = len(scores)
    prior = weighting.step_prior(weighting.prior_tensor(n).double(), torch.as_tensor(counts).double(), absent)
    return weighting.weights(scores, prior, weighting.initial_state(n).double() if state is None else state)


magnitudes = st.floats(1e-30, 1e30) | st.floats(0, 10)
signed = st.builds(lambda x, minus: -x if minus else x, magnitudes, st.booleans())
special = st.sampled_from([0.0, 1.0, 1.0, -INF, NAN, INF])  # nan and inf: not known
vectors = st.lists(signed | special, min_size=N_TASKS, max_size=N_TASKS)
numbers = st.lists(st.sampled_from([0.0, 1.0, 3.0, 1e9]), min_size=N_TASKS, max_size=N_TASKS)


def assert_weights(weighting, scores, counts):
    """Of the weights after one move; scores and counts (..., K)."""
    present = counts > 0
    prior = weighting.step_prior(weighting.prior_tensor(N_TASKS).double(), counts)
    state = weighting.advance(weighting.initial_state(N_TASKS).double(), scores, prior)
    weights = weighting.weights(scores, prior, state)
    assert state.isfinite().all(), weighting
    assert (weights >= 0).all(), weighting  # false for nan
    assert ((weights.sum(-1) - present.any(-1).double()).abs() < 1e-6).all(), weighting
    assert (weights[~present] == 0).all(), weighting


@given(scores=vectors, counts=numbers)
def test_weights_are_weights_whatever_the_losses_are(scores, counts):
    for weighting in ALL:
        assert_weights(weighting, torch.tensor(scores, dtype=torch.float64), torch.tensor(counts, dtype=torch.float64))


@over_all
def test_weights_of_ten_thousand_vectors(weighting):
    """Losses from 1e-30 to 1e30 of both signs, ties, some -inf, some not known; tasks absent."""
    draw = np.random.default_rng(0)
    scores = 10.0 ** draw.uniform(-30, 30, (10_000, N_TASKS)) * draw.choice([-1.0, 1.0], (10_000, N_TASKS))
    scores[:3000] = draw.normal(size=(3000, N_TASKS))
    tied = draw.random(10_000) < 0.2
    scores[tied, 1] = scores[tied, 2]
    for value in (-INF, NAN, INF, 0.0):
        scores[draw.random(scores.shape) < 0.05] = value
    counts = draw.choice([0.0, 1.0, 3.0, 1e9], scores.shape)
    assert_weights(weighting, torch.from_numpy(scores), torch.from_numpy(counts))


@given(scores=st.lists(magnitudes, min_size=N_TASKS, max_size=N_TASKS))
def test_a_larger_loss_never_has_a_smaller_share_of_its_prior(scores):
    order = np.argsort(scores)
    for weighting in MEMORYLESS:
        prior = weighting.step_prior(weighting.prior_tensor(N_TASKS).double(), COUNTS).numpy()
        ratios = (weights_of(weighting, scores).numpy() / prior)[order]
        # In Euclidean geometry it is the difference that grows.
        euclidean = weighting._smoothing > 0 and weighting._geometry == "euclidean"
        values = (weights_of(weighting, scores).numpy() - prior)[order] if euclidean else ratios
        slack = 0.35 if euclidean and weighting.prior not in ("uniform", "frequency") else 1e-6
        assert (np.diff(values) >= -slack).all(), (weighting, values)


@pytest.mark.parametrize("weighting", [w for w in ALL if isinstance(w.prior, str)], ids=repr)
def test_task_order_does_not_matter(weighting):
    scores, order = torch.tensor([0.3, 1.0, 0.9, -0.2], dtype=torch.float64), [2, 0, 3, 1]
    direct = weights_of(weighting, scores)
    torch.testing.assert_close(weights_of(weighting, scores[order], COUNTS[order]), direct[order], rtol=1e-12, atol=1e-12)


@over_memoryless
def test_absent_tasks_leave_the_game_of_the_others(weighting):
    """With tasks 1 and 3 absent, the weights are those of a game of tasks 0 and 2 alone."""
    scores, counts = torch.tensor([0.2, 9.0, 0.4, 8.0], dtype=torch.float64), torch.tensor([5.0, 0.0, 3.0, 0.0])
    keep = [0, 2]
    prior = weighting.step_prior(weighting.prior_tensor(4).double(), counts.double())[keep]
    alone = weighting.weights(scores[keep], prior, torch.zeros(2).double())
    weights = weights_of(weighting, scores, counts)
    torch.testing.assert_close(weights[keep], alone, rtol=1e-9, atol=1e-12)
    assert weights[[1, 3]].tolist() == [0.0, 0.0]


@over_memoryless
def test_weights_are_the_responses_of_the_ambiguity_sets(weighting):
    """The prior as a tensor gives what the set gives with the same prior."""
    scores = torch.tensor([0.3, 1.0, 0.9, -0.2], dtype=torch.float64)
    prior = weighting.step_prior(weighting.prior_tensor(4).double(), COUNTS)
    prior = prior / prior.sum()
    ambiguity = type(weighting._set)(**(vars(weighting._set) | {"prior": prior.tolist()}))
    expected = ambiguity.respond(scores, smoothing=weighting._smoothing, geometry=weighting._geometry)
    torch.testing.assert_close(weights_of(weighting, scores), expected, rtol=1e-9, atol=1e-9)


def test_drop_loses_the_weight_of_absent_tasks():
    weighting, scores = SoftmaxWeighting(1.0), torch.tensor([0.0, 1.0, 2.0, 3.0])
    dropped = weights_of(weighting, scores, [1.0, 1.0, 1.0, 0.0], "drop")
    torch.testing.assert_close(dropped, torch.softmax(scores.double(), 0))
    mean = weights_of(MacroAverageWeighting(), scores, [1.0, 1.0, 1.0, 0.0], "drop")
    assert mean.tolist() == [0.25] * 4


def test_a_task_without_a_score_has_its_prior_weight():
    weights = weights_of(SoftmaxWeighting(1.0, prior=[1.0, 1.0, 1.0, 2.0]), [0.0, 1.0, 2.0, NAN])
    assert weights[3].item() == pytest.approx(0.4)
    torch.testing.assert_close(weights[:3] / 0.6, torch.softmax(torch.arange(3.0).double(), 0), rtol=1e-6, atol=0)


def test_limits_of_softmax():
    scores = torch.tensor([1.0, 3.0, 3.0, 2.0])
    assert weights_of(SoftmaxWeighting(0.0), scores).tolist() == [0.0, 0.5, 0.5, 0.0]  # ties split
    assert weights_of(WorstTaskWeighting(), scores).tolist() == [0.0, 0.5, 0.5, 0.0]
    torch.testing.assert_close(weights_of(SoftmaxWeighting(1e-3), scores).float(), torch.tensor([0.0, 0.5, 0.5, 0.0]))
    torch.testing.assert_close(weights_of(SoftmaxWeighting(1e9), scores).float(), torch.full((4,), 0.25))
    plain = weights_of(SoftmaxWeighting(1e9, prior="frequency"), scores)
    torch.testing.assert_close(plain, weights_of(SampleAverageWeighting(), scores), rtol=1e-7, atol=0)
    torch.testing.assert_close(plain, COUNTS / 16, rtol=1e-7, atol=0)


def test_sharp_softmax_against_float64_formula():
    """The difference to the largest score first: a factor of 1e3 keeps all digits, and 1e30 no nan."""
    scores = torch.tensor([11.0, 11.001, 11.002, 3.0], dtype=torch.float64)
    expected = np.exp(1e3 * (scores.numpy() - 11.002))
    np.testing.assert_allclose(weights_of(SoftmaxWeighting(1e-3), scores), expected / expected.sum(), rtol=1e-9)


def test_one_task_is_the_plain_mean():
    for weighting in (
        SoftmaxWeighting(0.1),
        WorstTaskWeighting(),
        CVaRWeighting(0.5),
        MirrorAscentWeighting(1.0),
        KLBallWeighting(1.0),
    ):
        assert weights_of(weighting, [5.0], [3.0]).tolist() == [1.0]


def test_floor_is_a_mixture_with_the_prior():
    scores, prior = torch.tensor([0.0, 1.0, 2.0, 3.0]), [1.0, 2.0, 3.0, 4.0]
    pure = weights_of(SoftmaxWeighting(0.5, prior=prior), scores)
    mixed = weights_of(SoftmaxWeighting(0.5, prior=prior, floor=0.2), scores)
    torch.testing.assert_close(mixed, 0.8 * pure + 0.2 * torch.tensor(prior).double() / 10, rtol=1e-6, atol=1e-9)


def test_a_hundred_thousand_tasks():
    scores = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for weighting in (SoftmaxWeighting(0.1), CVaRWeighting(0.01), MirrorAscentWeighting(0.1), ProjectedAscentWeighting(0.1)):
        weights = weights_of(weighting, scores, torch.ones(100_000))
        assert weights.sum().item() == pytest.approx(1.0)


def test_the_prior_of_a_set_is_that_of_the_weighting():
    weighting = ResponseWeighting(CVaR(0.5, prior=[3.0, 1.0]))
    assert weighting.prior == (0.75, 0.25)
    assert torch.equal(
        weights_of(weighting, [1.0, 0.0], [1, 1]), weights_of(CVaRWeighting(0.5, prior=[3.0, 1.0]), [1.0, 0.0], [1, 1])
    )
    with pytest.raises(ValueError, match="given twice"):
        ResponseWeighting(CVaR(0.5, prior=[3.0, 1.0]), prior="frequency")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SoftmaxWeighting(-0.1), "`smoothing` must be a finite float >= 0"),
        (lambda: SoftmaxWeighting(0.1, floor=1.0), "`floor` must be a float in"),
        (lambda: SoftmaxWeighting(0.1, prior=[1.0, 0.0]), "`prior` must be"),
        (lambda: SoftmaxWeighting(0.1, prior="frequent"), "unknown `prior`: 'frequent'. Did you mean 'frequency'"),
        (lambda: CVaRWeighting(0.0), "`tail_fraction`"),
        (lambda: KLBallWeighting(-1.0), "`radius`"),
        (lambda: MirrorAscentWeighting(-1.0), "`step_size`"),
        (lambda: ProjectedAscentWeighting(1.0, floor=2.0), "`floor`"),
        (lambda: ResponseWeighting(KLBall(1.0), smoothing=1.0, geometry="euclidean"), "no exact response"),
        (lambda: SoftmaxWeighting(0.1, prior=[1.0, 2.0]).check(3), "has 2 weights, but there are 3 tasks"),
    ],
)
def test_what_is_refused(build, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.").replace("(", r"\(")):
        build()


def test_an_ambiguity_set_is_asked_for():
    with pytest.raises(TypeError, match="`ambiguity` must be"):
        ResponseWeighting("simplex")
    assert ResponseWeighting(Simplex()) == ResponseWeighting()
