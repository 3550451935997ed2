"""C3, C5, C6: the closed forms of the smallest family against eigenvectors and the certified solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import minimax_representation
from minimax_opt.theory.representation import average_representation

FAMILIES = st.builds(
    lambda beta, gamma, alpha, share: RareTask(frequent=beta, hard=beta * gamma, common=beta * gamma * alpha, hard_share=share),
    st.floats(0.2, 1.0),
    st.floats(1.1, 5.0),
    st.floats(1.1, 2.0),
    st.floats(0.0, 1.0),
)


def rotated(family, dimension=7):
    """The tasks in directions that are no axes."""
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((dimension, dimension)))[0]
    return family.task_vectors(dimension) @ rotation


@given(FAMILIES)
def test_average_pre_training_switches_where_it_is_said_to(family):
    if abs(family.hard_share - family.switch) < 1e-6:  # both are optimal
        return
    found = average_representation(rotated(family), 2, family.prior)
    frequent, hard = family.average_residuals
    assert np.allclose(found.residuals, [frequent, frequent, hard, hard], atol=1e-10)
    assert family.prior @ found.residuals == pytest.approx(family.average_objective, abs=1e-10)
    assert (hard > 0) == (family.hard_share < family.switch)


@settings(max_examples=15)
@given(FAMILIES)
def test_minimax_pre_training_leaves_t_of_every_task(family):
    found = minimax_representation(rotated(family), 2, n_starts=4)
    t = family.minimax_residual
    assert found.lower_bound <= t * (1 + 1e-12)
    assert found.worst == pytest.approx(t, rel=2e-6)
    assert np.allclose(found.residuals, t, rtol=1e-4)
    assert found.weights[2:].sum() == pytest.approx(family.switch, abs=2e-3)
    assert t < family.frequent**2
    assert not found.lower_bound <= 0.9 * t  # broken twin: a t that is a tenth too small
    assert abs(found.worst - family.frequent * family.hard / (family.frequent + family.hard)) > 2e-6  # and one without squares


@given(FAMILIES)
def test_the_price_is_paid_except_at_the_switch(family):
    """C5: min(p gamma^2, (1 - p) beta^2) is concave in p with maximum t at p*."""
    assert family.price >= -1e-15
    at_switch = RareTask(common=family.common, frequent=family.frequent, hard=family.hard, hard_share=family.switch)
    assert at_switch.price == pytest.approx(0.0, abs=1e-12)
    assert family.price == pytest.approx(
        family.minimax_residual - family.prior @ average_representation(family.task_vectors(3), 2, family.prior).residuals,
        abs=1e-10,
    )


@pytest.mark.parametrize("difference", [-0.2, -0.05, 0.0, 0.3, 0.7, 0.95, 1.2])
def test_raw_losses_serve_the_noisy_task_and_excess_losses_cure_it(difference):
    """C6 with beta = 0.3, gamma = 1: the rare task gets nothing once the frequent one is noisier by gamma^2."""
    family = RareTask(common=1.5, frequent=0.3, hard=1.0, hard_share=0.05)
    noise = np.array([max(difference, 0.0)] * 2 + [max(-difference, 0.0)] * 2)
    raw = minimax_representation(rotated(family), 2, offsets=noise)
    frequent, hard = family.raw_residuals(difference)
    assert np.allclose(raw.residuals, [frequent, frequent, hard, hard], atol=2e-5)
    assert (hard == family.hard**2) == (difference >= family.hard**2)
    if difference > 0:
        assert abs(hard - family.minimax_residual) > 0.2  # broken twin: the residual of excess losses
    reference_losses = noise  # of the best model of each task alone
    cured = minimax_representation(rotated(family), 2, offsets=noise - reference_losses)
    assert np.allclose(cured.residuals, family.minimax_residual, atol=2e-5)


def test_an_error_of_the_reference_costs_less_than_itself():
    family = RareTask(common=1.5, frequent=0.3, hard=1.0, hard_share=0.05)
    errors = np.linspace(-0.09, 1.0, 50)
    hard = family.raw_residuals(errors)[1]
    assert np.allclose(np.diff(hard), np.diff(errors) * (1 - family.switch), rtol=1e-9)


def test_input_is_checked():
    good = {"common": 1.5, "frequent": 0.3, "hard": 1.0, "hard_share": 0.05}
    for name, value in (("common", 1.0), ("frequent", 0.0), ("hard", 0.2), ("hard_share", 1.5)):
        with pytest.raises(ValueError, match=name):
            RareTask(**{**good, name: value})
    with pytest.raises(ValueError, match="dimension"):
        RareTask(**good).task_vectors(2)
    with pytest.raises(ValueError, match="noise_difference"):
        RareTask(**good).raw_residuals(np.nan)
