import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from theory.problems import FAMILIES, any_tasks, random_tasks, real_tasks

import minimax_opt as mo
from minimax_opt.theory.constants import constants_on_ball, radius_bound


def in_ball(rng, center, radius, on_boundary):
    direction = rng.standard_normal(len(center))
    return center + direction / np.linalg.norm(direction) * radius * (1.0 if on_boundary else rng.random() ** (1 / len(center)))


def exceeds(tasks, found, center, radius, rng, points=8):
    """The largest ratio of what is seen in the ball to the constants: (L, G, D)."""
    seen = np.zeros(3)
    previous = None
    for i in range(points):
        x = in_ball(rng, center, radius, i % 2)
        jacobian = tasks.at(x).jacobian()
        seen[1] = max(seen[1], np.linalg.norm(jacobian, axis=1).max())
        seen[2] = max(seen[2], np.linalg.norm(jacobian[:, None] - jacobian, axis=2).max())
        near = center + (1 - 1e-4) * (x - center)  # a difference quotient: near a Hessian, and rigorous
        for y in (near, previous):
            if y is not None and np.linalg.norm(x - y) > 0:
                change = np.linalg.norm(jacobian - tasks.at(y).jacobian(), axis=1).max()
                seen[0] = max(seen[0], change / np.linalg.norm(x - y))
        previous = x
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(seen / np.array(found))


@given(any_tasks(), st.integers(0, 1000), st.sampled_from([1e-3, 0.3, 3.0]))
def test_no_point_of_the_ball_exceeds_the_constants(tasks, seed, radius):
    rng = np.random.default_rng(seed)
    center = rng.standard_normal(tasks.n_variables)
    found = constants_on_ball(tasks, center, radius)
    assert found.diameter <= 2 * found.lipschitz
    assert (exceeds(tasks, found, center, radius, rng) <= 1 + 1e-7).all()  # 1e-7: cancellation in the difference quotient


@pytest.mark.parametrize("name", ["diabetes", "squares", "cancer", "wine"])
def test_on_real_data(name):
    tasks, rng = real_tasks(name), np.random.default_rng(0)
    center = 0.1 * rng.standard_normal(tasks.n_variables)
    ratios = exceeds(tasks, constants_on_ball(tasks, center, 0.5), center, 0.5, rng, 20)
    assert (ratios <= 1 + 1e-7).all()
    assert (ratios[1:] >= 0.1).all()


@given(any_tasks(), st.integers(0, 1000), st.sampled_from([1e-3, 0.3, 3.0]))
def test_constants_of_many_tasks_need_no_pairs(tasks, seed, radius):
    """Beyond a number of tasks D is twice the radius of one ball: larger than that of the pairs, by at most a factor that the triangle allows."""
    rng = np.random.default_rng(seed)
    center = rng.standard_normal(tasks.n_variables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minimax_opt.theory.constants.PAIRS", 1)
        found = constants_on_ball(tasks, center, radius)
    assert found.diameter <= 2 * found.lipschitz
    assert (exceeds(tasks, found, center, radius, rng) <= 1 + 1e-7).all()


def test_the_ball_of_many_tasks_holds_them_all_at_once():
    """Gradients near -13.3 and 6.8, and 2000 in [-7.7, 6.8], -6 at the centre: the two means lie apart, and no mixture of two balls will do."""
    many = 2000
    rows, counts = np.full((many + 2, 1, 1), 2.0), np.full((many + 2, 1), 4.0)
    rows[:2, 0, 0], counts[:2, 0] = (0.01, -0.01), (1331.0, 681.0)
    tasks = mo.PoissonTasks(rows, counts)
    found = constants_on_ball(tasks, np.zeros(1), 1.0)
    seen = [np.ptp(tasks.at(np.array([x])).jacobian()) for x in (-1.0, 0.0, 1.0)]
    assert max(seen) <= found.diameter <= 2 * found.lipschitz


def test_a_constant_that_is_too_small_is_seen():
    """The broken twin: nine tenths of what is right."""
    tasks, rng = mo.LeastSquaresTasks([[[1.0]], [[2.0]]], [[0.0], [2.0]]), np.random.default_rng(0)
    found = np.array(constants_on_ball(tasks, np.zeros(1), 1.0))
    assert (exceeds(tasks, found, np.zeros(1), 1.0, rng) <= 1 + 1e-7).all()
    assert (exceeds(tasks, 0.9 * found, np.zeros(1), 1.0, rng) > 1).all()


@pytest.mark.parametrize(
    ("tasks", "center", "radius", "exact"),
    [
        (mo.LeastSquaresTasks([[[1.0]], [[2.0]]], [[0.0], [2.0]]), 0.0, 1.0, (8.0, 16.0, 14.0)),
        (mo.LogisticTasks([[[2.0]], [[2.0]]], [[1], [0]]), 0.0, 1e9, (1.0, 2.0, 4.0)),
        (mo.HuberTasks([[[3.0]], [[1.0]]], [[0.0], [0.0]], delta=0.5), 0.0, 1e9, (9.0, 1.5, 2.0)),
        (mo.PoissonTasks([[[1.0]], [[2.0]]], [[0.0], [0.0]]), 0.0, 1.0, (4 * np.exp(2), 2 * np.exp(2), 2 * np.exp(2) - 1 / np.e)),
        (mo.QuantileTasks([[[1.0]], [[1.0]]], [[5.0], [-5.0]], quantile=0.25), 0.0, 1.0, (np.inf, 0.75, 1.0)),
        (mo.AffineTasks([[3.0, 4.0], [0.0, -1.0]], [0.0, 0.0]), 0.0, 9.0, (0.0, 5.0, 34**0.5)),
        (mo.QuadraticTasks([np.diag([2.0, 0.0]), np.diag([0.0, 1.0])]), 0.0, 3.0, (2.0, 6.0, 6.0)),
        (mo.MultinomialTasks([[[1.0]], [[1.0]]], [[0], [1]]), 0.0, 0.0, (0.5, 0.5**0.5, 2**0.5)),
    ],
    ids=["squares", "logistic", "huber", "poisson", "quantile", "affine", "quadratic", "multinomial"],
)
def test_met_exactly_on_one_row_a_task(tasks, center, radius, exact):
    """Poisson's D is loose by what the two tasks' common direction hides: at most a factor 2."""
    found = constants_on_ball(tasks, np.full(tasks.n_variables, center), radius)
    loose = 2.0 if isinstance(tasks, mo.PoissonTasks) else 1.0 + 1e-9
    assert (np.array(exact) * (1 - 1e-12) <= found).all()
    np.testing.assert_allclose(found[:2], exact[:2], rtol=1e-9)
    assert found.diameter <= loose * exact[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_random_problems_are_within_a_factor_of_four(family):
    """Over a ball as wide as the data's own scale the bounds on G and D lose less than a factor 4 of what is found by sampling."""
    ratios = []
    for seed in range(6):
        tasks, rng = random_tasks(family, seed), np.random.default_rng(seed)
        center = np.zeros(tasks.n_variables)
        ratios.append(exceeds(tasks, constants_on_ball(tasks, center, 0.1), center, 0.1, rng, 60))
    assert (np.array(ratios)[:, 1:] >= 0.25).all()


@pytest.mark.parametrize("family", ["least squares", "logistic", "multinomial"])
def test_torch_and_sparse_rows_agree_with_numpy(family):
    rng = np.random.default_rng(3)
    A, b = [rng.standard_normal((6, 3)) for _ in range(3)], [rng.integers(0, 2, 6) * 1.0 for _ in range(3)]
    make = {"least squares": mo.LeastSquaresTasks, "logistic": mo.LogisticTasks, "multinomial": mo.MultinomialTasks}[family]
    host = make(A, b)
    expected = constants_on_ball(host, np.zeros(host.n_variables), 1.0)
    for other in (make([torch.tensor(a) for a in A], [torch.tensor(t) for t in b]), make([csr_array(a) for a in A], b)):
        np.testing.assert_allclose(constants_on_ball(other, np.zeros(host.n_variables), 1.0), expected, rtol=1e-9)


def test_the_radius_of_a_strongly_convex_problem_holds():
    tasks = mo.QuadraticTasks(np.stack([np.eye(2)] * 2), np.array([[-1.0, 0.0], [1.0, 0.0]]), np.zeros(2))  # x* = 0, F* = 0
    x0 = np.array([3.0, 4.0])
    for x in (np.zeros(2), np.array([0.1, 0.2]), np.array([2.0, 2.0])):
        gap = tasks(x).max()
        assert radius_bound(x0, x, gap=gap, strong_convexity=1.0) >= 5.0 - 1e-12
    # tight: f = x^2 / 2 with x on the far side of its minimiser
    assert radius_bound([5.0], [1.0], gap=0.5, strong_convexity=1.0) == 5.0


def test_what_is_refused():
    tasks = mo.AffineTasks([[1.0]], [0.0])
    with pytest.raises(ValueError, match="`center`"):
        constants_on_ball(tasks, [0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match="`radius`"):
        constants_on_ball(tasks, [0.0], -1.0)
    with pytest.raises(TypeError, match="structured family"):
        constants_on_ball(mo.NumPyTasks(lambda x: x, lambda x: np.eye(1)), [0.0], 1.0)
