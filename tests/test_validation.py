"""Whatever is passed that cannot be right is refused before it does harm, with a message that names it."""

import functools

import numpy as np
import pytest
import torch
from scipy import sparse

import minimax_opt as mo
from minimax_opt import checks, domains
from minimax_opt.tasks import ModuleTasks, NumPyTasks, TorchTasks

X0 = np.zeros(2)
TENSOR = torch.zeros(2, dtype=torch.float64)
ANCHORS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
REFUSALS = (ValueError, TypeError)


def distances(x):
    return ((x - ANCHORS) ** 2).sum(1)


def jacobian(x):
    return 2 * (x - ANCHORS)


@pytest.fixture
def evaluations():
    return []


@pytest.fixture
def solve(evaluations):
    """minimize_max on three losses of two variables, with every evaluation noted."""

    def fun(x):
        evaluations.append(x)
        return distances(x)

    return functools.partial(mo.minimize_max, NumPyTasks(fun, jacobian, 2), max_iter=3)


ARGUMENTS = {
    "seed string": ({"seed": "a"}, r"`seed` must be an integer >= 0, got 'a'"),
    "seed negative": ({"seed": -1}, r"`seed` must be an integer >= 0, got -1"),
    "seed fraction": ({"seed": 1.5}, r"`seed` must be an integer >= 0, got 1.5"),
    "seed None": ({"seed": None}, r"`seed` must be an integer >= 0, got None"),
    "seed generator": ({"seed": np.random.default_rng(0)}, r"`seed` must be an integer >= 0, got Generator"),
    "x0 ragged": ({"x0": [[1, 2], [3]]}, r"`x0` must be a vector of real numbers, got list with parts of different shapes"),
    "x0 complex": ({"x0": TENSOR * 1j}, r"`x0` must be a vector of real numbers, got dtype torch.complex128"),
    "tol beyond floats": ({"tol": 10**400}, r"`tol` must be a finite number >= 0"),
    "method list": ({"method": ["sqp"]}, r"unknown method: \['sqp'\]"),
    "method case": ({"method": "SQP"}, r"unknown method: 'SQP'. Did you mean 'sqp'\?"),
    "method list of choices": ({"method": "newton"}, r"Known: 'auto', "),
    "convex array": ({"convex": np.array([True, False])}, r"`convex` must be True, False or None"),
    "convex number": ({"convex": 1}, r"`convex` must be True, False or None, got 1"),
    "convex NumPy False": ({"convex": np.False_, "strong_convexity": 1.0}, r"`convex=False` contradicts"),
    "progress": ({"progress": "no"}, r"`progress` must be True or False, got 'no'"),
    "callback string": ({"callback": "a"}, r"`callback` must be a function `callback\(intermediate_result\)`, got 'a'"),
    "callback of x": ({"callback": lambda xk: None}, r"`callback` must accept the keyword `intermediate_result` .* \(xk\)"),
    "callback of more": ({"callback": lambda intermediate_result, y: None}, r"`callback` must accept .* missing .*'y'"),
    "options number": ({"options": 3}, r"`options` must be a dict of the method's options, got 3"),
    "options list": ({"options": []}, r"`options` must be a dict of the method's options, got \[\]"),
    "checkpoint number": ({"checkpoint": 3}, r"`checkpoint` must be the path of a file, got 3"),
    "checkpoint bytes": ({"checkpoint": b"a"}, r"`checkpoint` must be the path of a file, got b'a'"),
    "checkpoint folder": ({"checkpoint": "."}, r"`checkpoint` must be a file, got the folder '.'"),
    "checkpoint empty": ({"checkpoint": ""}, r"`checkpoint` must be a file, got the folder '.'"),
    "checkpoint parent": ({"checkpoint": "no/such/a"}, r"`checkpoint` must lie in a folder that exists.*create 'no/such' first"),
    "checkpoint under a file": ({"checkpoint": f"{__file__}/a"}, r"`checkpoint` must lie in a folder that exists"),
}


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_are_refused_before_the_first_evaluation(solve, evaluations, arguments, message):
    with pytest.raises(REFUSALS, match=message):
        solve(**arguments)
    assert not evaluations


@pytest.mark.parametrize(("denied", "message"), [("parent", "folder that you may write to"), ("file", "file that you may read")])
def test_checkpoint_permissions(solve, evaluations, monkeypatch, tmp_path, denied, message):
    path = tmp_path / "solve.ckpt"
    path.touch()
    monkeypatch.setattr("os.access", lambda p, mode: p != (tmp_path if denied == "parent" else path))
    with pytest.raises(ValueError, match=f"`checkpoint` must .*{message}"):
        solve(checkpoint=path)
    assert not evaluations


@pytest.mark.parametrize(
    "callback", [lambda intermediate_result: None, lambda *, intermediate_result: None, lambda **rest: None, dict]
)
def test_callbacks_that_take_the_keyword_are_called(solve, callback):
    assert solve(callback=callback).nit > 0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("ab", r"`weights0` must be a vector of real numbers, got 'ab'"),
        ([[1], [0, 0]], r"`weights0` must be a vector of real numbers, got list with parts of different shapes"),
        ([1j, 0, 0], r"`weights0` must be a vector of real numbers, got dtype complex128"),
        ([np.nan, 0, 1], r"`weights0` must be finite"),
    ],
)
def test_weights0(solve, weights, message):
    with pytest.raises(REFUSALS, match=message):
        solve(weights0=weights)


CONSTRUCTORS = {
    "prior": (lambda: mo.Simplex(prior="ab"), r"`prior` must be a vector of real numbers, got 'ab'"),
    "prior ragged": (lambda: mo.KLBall(0.1, prior=[[1], [1, 2]]), r"`prior` must be a vector of real numbers"),
    "floor": (lambda: mo.Simplex(floor="a"), r"`floor` must be a float in \[0, 1\), got 'a'"),
    "floor bool": (lambda: mo.Simplex(floor=False), r"`floor` must be a float in \[0, 1\), got False"),
    "KLBall": (lambda: mo.KLBall("a"), r"`radius` must be a float >= 0 \(inf is allowed\), got 'a'"),
    "ChiSquareBall": (lambda: mo.ChiSquareBall(None), r"`radius` must be a float >= 0 \(inf is allowed\), got None"),
    "CVaR string": (lambda: mo.CVaR("a"), r"`tail_fraction` must be a float in \(0, 1\], got 'a'"),
    "CVaR None": (lambda: mo.CVaR(None), r"`tail_fraction` must be a float in \(0, 1\], got None"),
    "CVaR bool": (lambda: mo.CVaR(True), r"`tail_fraction` must be a float in \(0, 1\], got True"),
    "CVaR array": (lambda: mo.CVaR(np.array([0.5])), r"`tail_fraction` must be a float in \(0, 1\], got array"),
    "smoothing": (lambda: mo.respond(X0, smoothing="a"), r"`smoothing` must be a finite float >= 0, got 'a'"),
    "Ridge": (lambda: mo.Ridge("a"), r"`strength` must be a number or a vector of real numbers, got 'a'"),
    "Ridge bool": (lambda: mo.Ridge(True), r"`strength` must be a number or a vector of real numbers, got True"),
    "Ridge matrix": (lambda: mo.Ridge(np.eye(2)), r"`strength` must be a number or a vector, got shape \(2, 2\)"),
    "Q": (lambda: mo.QuadraticRegularizer("a"), r"`Q` must be a matrix of real numbers, got 'a'"),
    "Q ragged": (lambda: mo.QuadraticRegularizer([[1, 2], [3]]), r"`Q` must be a matrix .* parts of different shapes"),
    "Q sparse": (lambda: mo.QuadraticRegularizer(sparse.eye(2)), r"`Q` must be a matrix .* use `.toarray\(\)`"),
    "Q vector": (lambda: mo.QuadraticRegularizer([1.0]), r"`Q` must be a matrix \(2-D\), got shape \(1,\)"),
    "c": (lambda: mo.QuadraticRegularizer(np.eye(2), "a"), r"`c` must be a vector of real numbers, got 'a'"),
    "lower": (lambda: mo.Box("a", 1), r"`lower` must be a number or a vector of real numbers, got 'a'"),
    "upper": (lambda: mo.Box(0, None), r"`upper` must be a number or a vector of real numbers, got NoneType"),
    "Ball": (lambda: mo.Ball("a"), r"`radius` must be a finite number > 0, got 'a'"),
    "Ball None": (lambda: mo.Ball(None), r"`radius` must be a finite number > 0, got None"),
    "center": (lambda: mo.Ball(1.0, "a"), r"`center` must be a vector of real numbers, got 'a'"),
    "center matrix": (lambda: mo.Ball(1.0, np.eye(2)), r"`center` must be a vector \(1-D\), got shape \(2, 2\)"),
    "domain simplex": (lambda: domains.Simplex("a"), r"`scale` must be a finite number > 0, got 'a'"),
    "Fantope bool": (lambda: mo.Fantope(True, True), r"`dimension` must be an integer >= 1, got True"),
    "no data": (lambda: mo.LeastSquaresTasks(None, None), r"`list_of_A` must be a list of arrays, one a task, got NoneType"),
    "no targets": (lambda: mo.LeastSquaresTasks([np.eye(2)], None), r"`list_of_b` must be a list of arrays, .* got NoneType"),
    "a dict": (lambda: mo.LogisticTasks({"a": X0}, [X0]), r"`list_of_A` must be a list of arrays, one a task, got dict"),
    "a number": (lambda: mo.LeastSquaresTasks(np.array(1.0), []), r"`list_of_A` must be a list of arrays, .* got ndarray"),
    "ragged task": (
        lambda: mo.LeastSquaresTasks([[[1, 2], [3]]], [[1, 2]]),
        r"`list_of_A`, task 0 must be an array of real numbers, got list with parts of different shapes",
    ),
    "sparse task": (
        lambda: mo.LeastSquaresTasks([sparse.eye(2), np.eye(2)], [X0, X0]),
        r"`list_of_A` must be all sparse or all dense, got 1 sparse of 2; convert, e.g. by `scipy.sparse.csr_array",
    ),
    "ragged groups": (
        lambda: mo.LeastSquaresTasks.from_groups(np.eye(2), X0, [[1], [1, 2]]),
        r"`groups` must be a vector of labels, got list with parts of different shapes",
    ),
    "sparse targets": (
        lambda: mo.LeastSquaresTasks([np.eye(2)], [sparse.coo_array(X0)]),
        r"`list_of_b`, task 0 must be an array of real numbers, got coo_array; use `.toarray\(\)`",
    ),
    "ragged P": (lambda: mo.QuadraticTasks([np.eye(2), np.eye(3)]), r"`P` must be an array .* parts of different shapes"),
    "affine": (lambda: mo.AffineTasks("a", X0), r"`A` must be an array of real numbers, got 'a'"),
    "batch size": (
        lambda: mo.LeastSquaresTasks([np.eye(2)], [X0]).sample(np.random.default_rng(0), "a"),
        r"`batch_size` must be an integer >= 1, got 'a'",
    ),
    "n_tasks": (lambda: NumPyTasks(distances, jacobian, n_tasks="a"), r"`n_tasks` must be an integer >= 1, got 'a'"),
    "n_variables": (lambda: TorchTasks(torch.sin, n_variables=0), r"`n_variables` must be an integer >= 1, got 0"),
    "hessian": (lambda: TorchTasks(torch.sin, hessian="no"), r"`hessian` must be True or False, got 'no'"),
    "losses": (lambda: ModuleTasks(torch.nn.Linear(1, 1), 3), r"`losses` must be one function .* got int"),
    "load": (
        lambda: ModuleTasks(torch.nn.Linear(1, 1), list).load("abc"),
        r"`x` must be a vector of real numbers, got 'abc'",
    ),
    "check_jacobian seed": (
        lambda: mo.check_jacobian(distances, X0, jacobian, seed=-1),
        r"`seed` must be an integer >= 0, got -1",
    ),
}


@pytest.mark.parametrize(("make", "message"), CONSTRUCTORS.values(), ids=CONSTRUCTORS)
def test_constructors(make, message):
    with pytest.raises(REFUSALS, match=message):
        make()


FAMILIES = {
    "least squares": mo.LeastSquaresTasks([np.eye(3)], [np.zeros(3)]),
    "torch": mo.LogisticTasks([torch.eye(3)], [torch.zeros(3)]),
    "affine": mo.AffineTasks(np.eye(3), np.zeros(3)),
    "quadratic": mo.QuadraticTasks(np.eye(3)[None]),
    "any length": NumPyTasks(distances, jacobian),
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("x", [np.zeros((3, 1)), "abc", [[1], [2, 3]], 1.0, np.zeros(3) * 1j])
def test_families_called_at_no_vector(family, x):
    with pytest.raises(REFUSALS, match=r"`x` must (have shape \((3|n),\) to fit the tasks|be a vector of real numbers), got "):
        family(x)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "any length"])
def test_families_called_at_x_of_another_length(name):
    with pytest.raises(ValueError, match=r"`x` must have shape \(3,\) to fit the tasks, got shape \(4,\)"):
        FAMILIES[name](torch.zeros(4) if name == "torch" else np.zeros(4))


class Later:
    """`first`(x) for some calls, `later`(x) from then on."""

    def __init__(self, first, later, calls=1):
        self.first, self.later, self.calls = first, later, calls

    def __call__(self, x):
        self.calls -= 1
        return (self.first if self.calls >= 0 else self.later)(x)


@pytest.mark.parametrize("method", ["sqp", "softmax-gd", "accelerated", "mirror-prox", "descent-ascent"])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("n_later", [2, 1])
def test_a_number_of_losses_that_changes(method, kind, n_later):
    anchors = torch.tensor(ANCHORS) if kind == "torch" else ANCHORS

    def fun(x):
        return ((x - anchors) ** 2).sum(1)

    # SQP's second evaluation, the third where x0 is moved to the host, serves its first metric only
    calls = 1 if method != "sqp" else 2 if kind == "numpy" else 3
    changing = Later(fun, lambda x: fun(x)[:n_later], calls)
    start, jac = (TENSOR, None) if kind == "torch" else (X0, jacobian)
    with pytest.raises(ValueError, match=rf"`fun` must return 3 losses at every x, as it did at `x0`, got shape \({n_later},\)"):
        mo.minimize_max(changing, start, jac, method=method, max_iter=5)


@pytest.mark.parametrize("later", [lambda x: jacobian(x)[:2], lambda x: jacobian(x)[:, :1], lambda x: jacobian(x)[0]])
def test_a_jacobian_of_another_shape_later(later):
    with pytest.raises(ValueError, match=r"`jac` must return the Jacobian of shape \(K, n\) = \(3, 2\), got shape"):
        mo.minimize_max(distances, X0, Later(jacobian, later), method="sqp")


JACOBIANS = {
    "string": ("ab", r"`jac` must return a matrix of real numbers, got 'ab'"),
    "ragged": ([[1, 2], [3]], r"`jac` must return a matrix of real numbers, got list with parts of different shapes"),
    "sparse": (sparse.csr_array(ANCHORS), r"`jac` must return a matrix of real numbers, got csr_array; use `.toarray\(\)`"),
    "complex": (ANCHORS * 1j, r"`jac` must return a matrix of real numbers, got dtype complex128, whose imaginary part"),
    "nothing": (None, r"`jac` must return a matrix of real numbers, got NoneType"),
}


@pytest.mark.parametrize(("result", "message"), JACOBIANS.values(), ids=JACOBIANS)
@pytest.mark.parametrize("form", ["function", "True"])
def test_jacobians_that_are_no_matrix(result, message, form):
    fun, jac = (distances, lambda x: result) if form == "function" else ((lambda x: (distances(x), result)), True)
    with pytest.raises(REFUSALS, match=message):
        mo.minimize_max(fun, X0, jac)


@pytest.mark.parametrize(
    ("fun", "x0", "jac"),
    [
        (lambda x: distances(x) + 1j, X0, jacobian),
        (lambda x: list(distances(x) + 1j), X0, "2-point"),
        (lambda x: (distances(x) + 0j, jacobian(x)), X0, True),
        (lambda x: x * 1j, TENSOR, None),
    ],
)
def test_complex_losses(fun, x0, jac):
    with pytest.raises(
        TypeError, match=r"`fun` must return .*real.* got dtype (torch\.)?complex128, whose imaginary part would be lost"
    ):
        mo.minimize_max(fun, x0, jac)


@pytest.mark.parametrize("wrong", ["short", "none", "nan", "kind", "list", "matrix"])
@pytest.mark.parametrize("name", ["project", "minimize_linear"])
@pytest.mark.parametrize("x", [np.ones(3), torch.ones(3)], ids=["numpy", "torch"])
def test_custom_domains_that_are_wrong(wrong, name, x):
    other = torch.as_tensor if isinstance(x, np.ndarray) else np.asarray
    function = {
        "short": lambda x: x[:2],
        "none": lambda x: None,
        "nan": lambda x: x * float("nan"),
        "kind": other,
        "list": lambda x: x.tolist(),
        "matrix": lambda x: x[:, None],
    }[wrong]
    domain = domains.CustomDomain(**{"project": lambda x: x, "minimize_linear": lambda x: x, name: function})
    rule = (
        "finite numbers for a finite vector" if wrong == "nan" else r"a (ndarray|Tensor) of shape \(3,\), like what it gets, got"
    )
    with pytest.raises(ValueError, match=rf"`{name}` must return {rule}"):
        getattr(domain, name)(x)


@pytest.mark.parametrize("x", [np.full(3, 1e200), torch.tensor([np.inf, 0.0]), np.full(2, np.nan)])
def test_custom_domains_may_return_large_numbers_and_pass_on_what_is_not_finite(x):
    assert domains.CustomDomain(lambda x: x).project(x) is x


@pytest.mark.parametrize("project", [lambda x: x[:1], lambda x: None, lambda x: x * np.nan])
def test_a_wrong_domain_ends_a_solve_in_its_own_words(project):
    with pytest.raises(ValueError, match="`project` must return"):
        mo.minimize_max(distances, X0, jacobian, domain=domains.CustomDomain(project))


@pytest.mark.parametrize("fun", [np.sin, lambda x: np.exp(x) ** 2, lambda x: torch.as_tensor(x.numpy())])
def test_numpy_functions_at_a_tensor(fun):
    with pytest.raises(TypeError, match=r"`fun` must use torch operations on a tensor x.*pass a NumPy `x0` and `jac`"):
        mo.minimize_max(fun, TENSOR)


def test_checked_functions_let_through_what_cannot_be_looked_at():
    """Some builtins have no signature."""
    checks.keyword("callback", min, "intermediate_result")


def test_ridge_does_not_share_memory_with_what_it_was_given():
    strength = np.ones(2)
    ridge = mo.Ridge(strength)
    strength[:] = -1.0
    assert ridge.value(np.ones(2)) == 1.0
