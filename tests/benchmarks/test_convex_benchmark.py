"""The benchmark's own arithmetic: judge, statement of the peers, memory of runs, statistics, report. Seconds, not a measurement."""

import json
import time

import numpy as np
import pytest

import minimax_opt as mo
from benchmarks.common import measure
from benchmarks.common.statistics import geometric_mean
from benchmarks.common.store import Store, load
from benchmarks.convex import judge, statistics
from benchmarks.convex.compare import compare
from benchmarks.convex.convergence import Curve, their_curve
from benchmarks.convex.data import LOSSES
from benchmarks.convex.families import changed, least_squares, logistic, multinomial, poisson, quantile, sparse
from benchmarks.convex.growth import slope
from benchmarks.convex.peers import Peer, modelled, native, peers_of
from benchmarks.convex.peers.epigraph import Epigraph, Gram
from benchmarks.convex.suite import LARGE, SMALL, SUITE, case, chosen
from benchmarks.convex.targets import targets
from benchmarks.convex.trajectories import THEIRS
from benchmarks.convex.trial import attempt, needed

SETS = [mo.Simplex(), mo.CVaR(0.3), mo.CVaR(0.01), mo.KLBall(0.1), mo.KLBall(9.0), mo.ChiSquareBall(0.1), mo.ChiSquareBall(90.0)]
TINY = {
    "least squares": least_squares(3, 4, 12),
    "ridge": least_squares(3, 4, 12, ridge=0.1),
    "l1": changed(least_squares(3, 4, 12), l1=0.2),
    "box": changed(least_squares(3, 4, 12), box=(-0.2, 0.2)),
    "sparse": sparse(3, 4, 12, 0.5),
    "logistic": logistic(3, 4, 12, ridge=0.1),
    "quantile": quantile(3, 4, 12),
    "poisson": poisson(3, 4, 12),
    "multinomial": multinomial(3, 4, 12, 3),
    "cvar": changed(least_squares(5, 4, 12), ambiguity=mo.CVaR(0.3)),
    "chi2": changed(least_squares(5, 4, 12), ambiguity=mo.ChiSquareBall(0.1)),
    "kl": changed(least_squares(5, 4, 12), ambiguity=mo.KLBall(0.1)),
}


@pytest.mark.parametrize("ambiguity", SETS, ids=repr)
@pytest.mark.parametrize("n_tasks", [1, 2, 7, 40])
def test_the_judge_agrees_with_the_sets(ambiguity, n_tasks):
    losses = np.random.default_rng(n_tasks).standard_normal(n_tasks)
    assert judge.worst_case(losses, ambiguity) == pytest.approx(float(mo.worst_case(losses, ambiguity)), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("ambiguity", SETS, ids=repr)
def test_the_judge_knows_equal_losses(ambiguity):
    assert judge.worst_case(np.full(5, 0.7), ambiguity) == pytest.approx(0.7, rel=1e-15)


def test_the_judge_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="prior"):
        judge.worst_case(np.ones(2), mo.CVaR(0.5, prior=(0.3, 0.7)))


def test_the_judge_clips_to_the_box_and_refuses_what_is_not_finite():
    data = TINY["box"]("box", 0)
    outside = np.full(4, 0.3)
    assert judge.value(data, outside) == judge.value(data, np.full(4, 0.2))
    assert judge.value(data, np.full(4, np.nan)) == np.inf


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_and_curvatures_are_the_derivatives(name):
    loss, rng, h = LOSSES[name], np.random.default_rng(0), 1e-6
    z, b = rng.standard_normal(50), np.sign(rng.standard_normal(50))
    numeric = (loss.value(z + h, b) - loss.value(z - h, b)) / (2 * h)
    np.testing.assert_allclose(loss.slope(z, b), numeric, atol=1e-8)
    numeric = (loss.slope(z + h, b) - loss.slope(z - h, b)) / (2 * h)
    np.testing.assert_allclose(loss.curvature(z, b), numeric, atol=1e-8)


@pytest.mark.parametrize("name", ["least squares", "logistic", "multinomial"])
def test_the_jacobian_is_the_derivative(name):
    data, rng, h = TINY[name](name, 0), np.random.default_rng(0), 1e-6
    x = rng.standard_normal(data.n_variables)
    columns = [(data.losses(x + h * e) - data.losses(x - h * e)) / (2 * h) for e in np.eye(data.n_variables)]
    np.testing.assert_allclose(data.jacobian(x), np.stack(columns, 1), atol=1e-8)
    if name != "multinomial":
        weights = rng.standard_normal(data.n_tasks)
        columns = [weights @ (data.jacobian(x + h * e) - data.jacobian(x - h * e)) / (2 * h) for e in np.eye(data.n_variables)]
        np.testing.assert_allclose(data.hessian(x, weights), np.stack(columns, 1), atol=1e-7)


@pytest.mark.parametrize("name", TINY)
def test_all_peers_state_the_same_problem(name):
    """Every peer's x is within its accuracy of the least value of any, and of our bound; our value of our x is the judge's."""
    data = TINY[name](name, 0)
    values = {peer.name: judge.value(data, peer.prepare()(1e-9).x) for peer in peers_of(data) if peer.name != "cvxpy SCS"}
    values = {peer: value for peer, value in values.items() if peer != "trust-constr"}
    best = min(values.values())
    assert len(values) >= (1 if name in ("kl", "multinomial") else 2)
    assert max(values.values()) <= best + 2e-7 * abs(best), values
    res = mo.minimize_max(data.tasks(), tol=1e-6, **data.arguments())
    assert judge.value(data, np.asarray(res.x)) == pytest.approx(res.fun, rel=1e-12, abs=1e-15)
    assert res.lower_bound <= best + 1e-12 * abs(best)


@pytest.mark.parametrize("name", ["ridge", "l1", "cvar", "box"])
def test_the_epigraph_form_has_its_derivatives(name):
    form, h = Epigraph(TINY[name](name, 0)), 1e-6
    rng = np.random.default_rng(0)
    v, weights = rng.standard_normal(form.size), rng.standard_normal(form.data.n_tasks)
    steps = h * np.eye(form.size)
    numeric = np.stack([(form.margin(v + e) - form.margin(v - e)) / (2 * h) for e in steps], 1)
    np.testing.assert_allclose(form.margin_jacobian(v), numeric, atol=1e-7)
    numeric = np.stack([weights @ (form.margin_jacobian(v + e) - form.margin_jacobian(v - e)) / (2 * h) for e in steps], 1)
    np.testing.assert_allclose(form.hessian(v, weights), numeric, atol=1e-7)
    numeric = np.array([(form.objective(v + e)[0] - form.objective(v - e)[0]) / (2 * h) for e in steps])
    np.testing.assert_allclose(form.objective(v)[1], numeric, atol=1e-7)
    numeric = np.stack([(form.objective(v + e)[1] - form.objective(v - e)[1]) / (2 * h) for e in steps], 1)
    np.testing.assert_allclose(form.hessian(v, None), numeric, atol=1e-7)


@pytest.mark.parametrize("name", ["ridge", "sparse", "cvar"])
def test_gram_forms_are_the_losses(name):
    data, rng = TINY[name](name, 0), np.random.default_rng(0)
    gram = Gram(data)
    for _ in range(2):  # what is kept of one x does not answer for another
        x, weights = rng.standard_normal(data.n_variables), rng.standard_normal(data.n_tasks)
        np.testing.assert_allclose(gram.losses(x), data.losses(x), rtol=1e-12)
        np.testing.assert_allclose(gram.jacobian(x), data.jacobian(x), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(gram.hessian(x, weights), data.hessian(x, weights), rtol=1e-11, atol=1e-12)


def test_native_and_modelled_forms_agree_on_a_linear_program():
    pytest.importorskip("piqp")
    pytest.importorskip("highspy")
    data = case("aff_K200_n100", 0)
    values = [judge.value(data, native.piqp(data, dense)(1e-10).x) for dense in (True, False)]
    values += [judge.value(data, native.highs(data, "simplex")(1e-10).x), judge.value(data, native.linprog(data)(1e-10).x)]
    values.append(judge.value(data, modelled.conic(data, "CLARABEL")(1e-10).x))
    np.testing.assert_allclose(values, values[0], rtol=1e-7)


def test_the_suite():
    assert len(SUITE) >= 40
    assert set(SMALL) | set(LARGE) == set(SUITE)
    assert chosen(["small", "hub_K20_n50_m200"]) == list(SMALL)
    with pytest.raises(ValueError, match="no case"):
        chosen(["lsq"])
    for name in SMALL:
        first, again, other = case(name, 0), case(name, 0), case(name, 1)
        assert first.n_tasks > 1
        assert np.isfinite(judge.value(first, np.zeros(first.n_variables)))
        assert judge.value(first, np.ones(first.n_variables)) == judge.value(again, np.ones(again.n_variables))
        fixed = name.startswith(("breast", "digits", "wine", "diabetes"))
        assert fixed == bool(np.array_equal(first.b, other.b))


def test_probe_measures_memory_and_ends_what_takes_too_long():
    found = measure.probe(lambda: np.ones(8 * 2**20).sum())  # 64 MB
    assert found.outcome == 8 * 2**20
    assert found.megabytes is None or 60 < found.megabytes < 80
    assert measure.probe(lambda: time.sleep(30), budget=0.1).error == "over budget"
    assert measure.probe(_spin, budget=0.5).error == "over budget"
    assert "ZeroDivisionError" in measure.probe(lambda: 1 / 0).error


def test_store_continues_and_refuses_other_settings(tmp_path):
    path = tmp_path / "results.json"
    Store(path, {"seed": 1}).put("cases", "a", {"ratio": 2.0, "error": float("nan")})
    store = Store(path, {"seed": 1})
    store.put("cases", "b", {"ratio": np.float64(1 / 3)})
    assert load(path)["cases"] == {"a": {"ratio": 2.0, "error": None}, "b": {"ratio": 0.3333333}}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]
    with pytest.raises(ValueError, match="other settings"):
        Store(path, {"seed": 2})


def test_geometric_mean_and_slope():
    mean, low, high = geometric_mean([1.0, 4.0] * 20)
    assert mean == pytest.approx(2.0)
    assert 1.4 < low < mean < high < 2.8
    assert slope((1, 10, 100, 1000), [None, 2.0, 40.0, 800.0]) == pytest.approx(np.log10(20.0))
    assert slope((1, 10, 100), [1.0, None, None]) is None


def test_one_off_times_count_the_statement_of_all_peers():
    ours = {"1e-09": {"certified": True, "seconds": {"median": 1.0}, "statement": 1.0}}
    peer = {"levels": [1e-9], "whole": False, "modelled": False, "reduced": True, "seconds": {"median": 2.0}}
    peers = [{**peer, "peer": "native"}, {**peer, "peer": "cvxpy", "modelled": True, "seconds": {"median": 1.5}}]
    row = {"ours": ours, "peers": peers, "statements": {"native": 4.0, "cvxpy": 8.5}, "reduction": 0.25}
    assert statistics.ratio(row, 1e-9) == 1.75
    assert statistics.ratio(row, 1e-9, "all") == 3.0
    assert statistics.ratio(row, 1e-9, "modelled") == 5.0


def test_the_targets_are_judged():
    ours = {"1e-09": {"certified": True, "seconds": {"median": 1.0}, "statement": 0.0}}
    row = {
        "ours": ours,
        "statements": {"p": 3.0},
        "reduction": 0.0,
        "memory": 10.0,
        "data_megabytes": 1.0,
        "n_tasks": 1,
        "n_variables": 1,
    }
    peer = {"peer": "p", "levels": [1e-9], "whole": False, "modelled": True, "reduced": False}
    slow, fast = ({**row, "peers": [{**peer, "seconds": {"median": seconds}}]} for seconds in (0.5, 8.0))
    growing = {"symbol": "K", "title": "least squares", "slopes": {"ours": 1.0, "p": 2.0}}
    cases = {"lsq_K1": slow, "wine_class": {**fast, "memory": 1.5}, "lsq_K1_cvar": slow, "sparse_lsq": slow}
    text = targets({"cases": cases, "growth": {"lsq_K": growing}})
    assert "2.00 over 2 of 2 cases" in text
    assert "| lsq_K1 0.50 |" in text
    assert "geometric mean 6.2, smallest 3.50 (lsq_K1)" in text
    assert "met in 1 of 4" in text
    assert "ours 1.00; p 2.00" in text


def test_curves_keep_the_best_value():
    curve = Curve()
    for passes, value in enumerate([5.0, 3.0, 4.0, 1.0 + 1e-7]):
        curve.add(passes, 0.1 * passes, value)
    row = curve.row(1.0, ours=True)
    assert row["gaps"] == pytest.approx([4.0, 2.0, 2.0, 1e-7])
    assert row["passes_to"] == {"0.001": 3, "1e-06": 3, "1e-09": None}


@pytest.mark.parametrize("name", THEIRS)
def test_trajectories_descend(name):
    if name.startswith(("torchjd", "cooper")):
        pytest.importorskip(name.split()[0])
    data = TINY["ridge"]("ridge", 0)
    steps, length = THEIRS[name]
    step, start = 0.1 if length else 0.02, judge.value(data, np.zeros(4))
    next(steps(data, step))  # loads what the library loads at first use
    curve = their_curve(data, steps(data, step), 0.2)
    assert curve.values[0] <= 1.001 * start
    assert curve.values[-1] < 0.9 * start
    assert curve.passes[-1] > 5


def test_a_trial_stops_where_the_last_level_is_reached():
    data = TINY["ridge"]("ridge", 0)
    best = mo.minimize_max(data.tasks(), tol=1e-12, **data.arguments()).fun
    peer = next(peer for peer in peers_of(data) if peer.name == "Clarabel native")
    tried = attempt(data, peer, best, 10.0)
    values = [judge.value(data, run.x) for run in tried.runs]
    assert [judge.reached(data, value, best, 1e-9) for value in values] == [False] * (len(values) - 1) + [True]
    kept = needed(data, tried.runs, best)
    for level in judge.LEVELS:
        able = [run for run, value in zip(tried.runs, values, strict=True) if judge.reached(data, value, best, level)]
        assert any(run is min(able, key=lambda run: run.seconds) for run in kept)
    hasty = Peer("hasty", lambda: _spin, (1e-4, 1e-9))
    assert attempt(data, hasty, best, 0.5).error == "over budget"


def test_a_row_and_its_report(tmp_path, monkeypatch, capsys):
    from benchmarks.convex import report

    row = compare(TINY["ridge"]("ridge", 0), repeat=1, budget=10.0)
    assert row["valid"]
    assert row["ours"]["1e-09"]["certified"]
    assert row["ours"]["1e-09"]["work"]["factorisations"] >= row["ours"]["1e-09"]["work"]["nit"]
    assert {peer["peer"] for peer in row["peers"]} >= {"SLSQP", "Clarabel native", "cvxpy CLARABEL"}
    assert all(1e-3 in peer["levels"] for peer in row["peers"] if peer["peer"] != "trust-constr")
    ratio = statistics.ratio(row, 1e-6)
    peer, seconds = statistics.fastest(row, 1e-6)
    assert ratio == pytest.approx(seconds / row["ours"]["1e-06"]["seconds"]["median"])
    assert statistics.profile({"ridge": row}, 1e-6, np.array([1.0, 1e9]))[peer][-1] == 1.0
    path = tmp_path / "benchmarks" / "convex.json"
    made = {"seed": 0, "repeat": 1, "method": "auto", "budget": 10.0, "processor": "p", "python": "3", "versions": {}}
    store = Store(path, made)
    store.put("cases", "ridge", row)
    store.put("cases", "broken", {"failed": "ValueError: no"})
    monkeypatch.setattr("sys.argv", ["report", str(path)])
    report.main()
    text = path.with_suffix(".md").read_text()
    assert text in capsys.readouterr().out
    assert "geometric mean" in text
    assert "Failed: broken." in text
    assert statistics.unpaired({"a": {**row, "peers": []}, "b": row, "c": {"failed": "no"}}, 1e-6) == (["a"], [])
    assert (tmp_path / "images" / "profile.png").stat().st_size > 10_000
    assert json.loads(path.read_text())["cases"]["ridge"]["best"] == pytest.approx(row["best"], rel=1e-6)


def _spin(tolerance=0.0):
    while True:
        pass
