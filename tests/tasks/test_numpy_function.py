"""NumPy functions with the three kinds of Jacobian."""

from __future__ import annotations

import numpy as np
import pytest

from minimax_opt.tasks import NumPyTasks

X = np.array([0.3, -1.2, 40.0])


def fun(x):
    return np.array([np.sin(x).sum(), x @ x])


def jac(x):
    return np.array([np.cos(x), 2 * x])


CHOICES = {"function": (fun, jac), "True": (lambda x: (fun(x), jac(x)), True), "2-point": (fun, "2-point")}
# |error| <= s/2 |f''| + 2 eps |f| / s for forward differences with steps s, |f''| <= 2; twice the rounding for fun's own
STEPS = 2.0**-26 * np.maximum(1.0, np.abs(X))
LIMIT = STEPS + 4 * np.finfo(float).eps * np.abs(fun(X))[:, None] / STEPS


@pytest.mark.parametrize(("function", "jacobian"), CHOICES.values(), ids=CHOICES.keys())
def test_the_three_kinds_of_jacobian(function, jacobian):
    limit = LIMIT if jacobian == "2-point" else 1e-15 * np.abs(jac(X))
    evaluation = NumPyTasks(function, jacobian).at(X)
    np.testing.assert_array_equal(evaluation.losses, fun(X))
    assert np.all(np.abs(evaluation.jacobian() - jac(X)) <= limit)
    weights = np.array([0.25, 0.75])
    np.testing.assert_allclose(evaluation.gradient(weights), weights @ evaluation.jacobian(), rtol=1e-15)


def test_the_jacobian_is_computed_once_and_only_on_demand():
    calls = []
    tasks = NumPyTasks(fun, lambda x: calls.append(1) or jac(x))
    evaluation = tasks.at(X)
    assert not calls
    for _ in range(2):
        evaluation.gradient(np.array([1.0, 0.0]))
        evaluation.jacobian()
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["function", "2-point"])
def test_functions_that_write_to_x_or_reuse_their_output_do_no_harm(kind):
    output = np.empty(2)

    def rude(x):
        output[:] = fun(x)
        x[:] = np.nan
        return output

    def rude_jac(x):
        result = jac(x)
        x[:] = np.nan
        return result

    x = X.copy()
    tasks = NumPyTasks(rude, rude_jac if kind == "function" else kind)
    first = tasks.at(x)
    tasks.at(2 * x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(first.losses, fun(X))
    assert np.all(np.abs(first.jacobian() - jac(X)) <= LIMIT)


@pytest.mark.parametrize("bad", [None, False, "3-point", 1.0])
def test_an_unknown_jacobian_names_the_choices(bad):
    with pytest.raises(ValueError, match=r"`jac` must be a function .* True .* or '2-point' .* or pass a torch `x0`"):
        NumPyTasks(fun, bad)


REFUSED = {
    "transposed": (fun, lambda x: jac(x).T, ValueError, r"shape \(K, n\) = \(2, 3\), got shape \(3, 2\); it looks transposed"),
    "shape": (fun, lambda x: jac(x)[:1], ValueError, r"shape \(K, n\) = \(2, 3\), got shape \(1, 3\)\."),
    "no pair": (fun, True, TypeError, r"must return \(losses, Jacobian\) with jac=True, got ndarray"),
    "scalar": (lambda x: x @ x, jac, ValueError, r"one vector of K losses, shape \(K,\), got shape \(\)"),
    "empty": (lambda x: [], jac, ValueError, r"at least one loss, got K = 0"),
    "strings": (lambda x: ["a"], jac, TypeError, "one vector of K losses, .* of real numbers, got dtype <U1"),
    "nothing": (lambda x: None, jac, (TypeError, ValueError), "one vector of K"),
}


@pytest.mark.parametrize(("function", "jacobian", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_results_of_the_wrong_kind_are_refused(function, jacobian, error, message):
    with pytest.raises(error, match=message):
        NumPyTasks(function, jacobian).at(X).jacobian()


def test_something_else_than_a_function_is_refused():
    with pytest.raises(TypeError, match=r"`fun` must be one function .* got list"):
        NumPyTasks([fun], jac)


def test_finite_differences_are_no_exact_gradients():
    assert not NumPyTasks(fun, "2-point").exact_gradients
    assert NumPyTasks(fun, jac).exact_gradients
    assert NumPyTasks(lambda x: (fun(x), jac(x)), True).exact_gradients


def test_magnitudes_are_those_of_the_losses_where_no_more_is_known():
    assert NumPyTasks(lambda x: -x, jac).at(np.ones(2)).magnitudes.tolist() == [1.0, 1.0]
