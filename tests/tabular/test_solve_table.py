"""Certified solutions of encoded tables: against cvxpy, against the definition, and on rows held out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln, xlogy

from minimax_opt.comparison.losses import FAMILIES
from minimax_opt.tabular import TableError, solve_table
from minimax_opt.tabular.evaluate import held_out_text

pd = pytest.importorskip("pandas")

TARGET = {
    "least-squares": "wage",
    "huber": "wage",
    "quantile": "wage",
    "poisson": "visits",
    "logistic": "rich",
    "multinomial": "level",
}


def row_losses(model, frame, which="worst_case"):
    """Each row's loss by its definition, from what the model predicts."""
    kind, y = model.loss.kind, frame[model.target.name]
    if kind in ("logistic", "multinomial"):
        chances = model.predict_proba(frame, which)
        return -np.log(chances[np.arange(len(frame)), [model.target.classes.index(str(label)) for label in y]])
    z = model.predict(frame, which)
    if kind == "poisson":  # half the deviance: log-likelihood of the data's own means less that of the model's
        return (xlogy(y, y) - y - gammaln(y + 1.0)) - (xlogy(y, z) - z - gammaln(y + 1.0))
    r = np.abs(z - y)
    if kind == "quantile":
        q = model.loss.parameter
        return np.where(y >= z, q * r, (1.0 - q) * r)
    if kind == "huber":
        delta = model.loss.parameter
        return np.where(r <= delta, r**2 / 2.0, delta * (r - delta / 2.0))
    return r**2


@pytest.mark.parametrize("loss", FAMILIES)
@pytest.mark.parametrize("ambiguity", ["simplex", "cvar:0.5", "kl:0.1"])
def test_every_loss_is_certified_and_agrees_with_cvxpy(people, features, loss, ambiguity):
    pytest.importorskip("cvxpy")
    solution = solve_table(people, TARGET[loss], "region", loss=loss, ambiguity=ambiguity, features=features, reference=True)
    problem = solution.report["problems"][0]
    assert problem["worst_case"]["certified"]
    assert problem["average"]["certified"]
    assert problem["reference"]["agrees"], problem["reference"]
    assert abs(problem["reference"]["difference"]) < 1e-5  # of cvxpy's own accuracy; ours is certified to 1e-8
    for which in ("worst_case", "average"):
        losses = row_losses(solution.model, people, which)
        by_group = pd.Series(losses).groupby(people["region"].to_numpy()).mean()
        np.testing.assert_allclose(problem[which]["losses"], by_group[problem["tasks"]], rtol=1e-9)
        np.testing.assert_allclose(problem[which]["mean"], losses.mean(), rtol=1e-9)
    assert problem["worst_case"]["worst"] + problem["worst_case"]["penalty"] <= (
        problem["average"]["worst"] + problem["average"]["penalty"]
    ) * (1.0 + 1e-8)


@pytest.mark.parametrize("ambiguity", ["simplex", "cvar:0.5", "kl:0.1", "chi-square:0.2"])
def test_a_floor_agrees_with_cvxpy_and_holds(people, features, ambiguity):
    pytest.importorskip("cvxpy")
    solution = solve_table(people[:70], "wage", "region", ambiguity=ambiguity, floor=0.3, features=features, reference=True)
    problem = solution.report["problems"][0]
    assert problem["reference"]["agrees"], problem["reference"]
    assert abs(problem["reference"]["difference"]) < 1e-5
    kept = np.full(3, 1 / 3) if "cvar" in ambiguity else np.array(problem["rows"]) / 70
    assert (problem["worst_case"]["weights"] >= 0.3 * kept * (1.0 - 1e-9)).all()
    assert "30 % of it kept" in problem["adversary"]
    model = problem["worst_case"]
    mixed = 0.7 * model["worst"] + 0.3 * kept @ model["losses"] + model["penalty"]  # worst is that of the set without its floor
    np.testing.assert_allclose(model["fun"], mixed, rtol=1e-9)


def test_groups_that_only_the_penalty_holds_are_told_and_a_floor_fits_them():
    """The easy group has a feature of its own, which fits it: the penalty uses just as much of it as the worst case asks for."""
    rng = np.random.default_rng(0)
    easy, x = np.arange(100) % 2 == 0, rng.normal(size=100)
    frame = pd.DataFrame(
        {"own": x * easy, "group": np.where(easy, "easy", "hard"), "y": np.where(easy, 5.0 * x, rng.normal(size=100))}
    )
    plain, fitted = (solve_table(frame, "y", "group", floor=floor).report["problems"][0] for floor in (0.0, 0.01))
    assert [text.split(":")[0] for label, text in plain["data"]["notes"] if label == "warning"] == ["easy"]
    assert not [text for label, text in fitted["data"]["notes"] if label == "warning"]
    np.testing.assert_allclose(plain["worst_case"]["losses"], [plain["worst_case"]["worst"]] * 2, rtol=1e-6)
    assert fitted["worst_case"]["losses"][0] < 0.1 * fitted["worst_case"]["losses"][1]
    assert fitted["worst_case"]["worst"] < 1.001 * plain["worst_case"]["worst"]


@pytest.mark.parametrize("unit", [1e-5, 1e6])
def test_the_unit_of_the_target_changes_nothing_but_the_unit(people, features, unit):
    pytest.importorskip("cvxpy")
    one = solve_table(people, "wage", "region", features=features, loss="huber")
    other = solve_table(
        people.assign(wage=people["wage"] * unit), "wage", "region", features=features, loss="huber", reference=True
    )
    record = other.report["problems"][0]
    assert record["reference"]["agrees"]
    np.testing.assert_allclose(
        record["worst_case"]["worst"], unit**2 * one.report["problems"][0]["worst_case"]["worst"], rtol=1e-6
    )


def test_the_intercept_is_free(people, features):
    """Were it penalised, a shift of the target would change the optimal value; now it is the same, to the certified gaps."""
    for penalty in ({"ridge": 0.5}, {"ridge": 0.0, "l1": 0.2}, {"ridge": 0.1, "l1": 0.1}):
        one, other = (
            solve_table(frame, "wage", "region", features=features, **penalty)
            for frame in (people, people.assign(wage=people["wage"] + 1000.0))
        )
        record, shifted = (solution.report["problems"][0]["worst_case"] for solution in (one, other))
        assert record["certified"]
        assert shifted["certified"]
        assert max(record["lower_bound"], shifted["lower_bound"]) <= min(record["fun"], shifted["fun"]) * (1.0 + 1e-9)
        x = one.model.coefficients["worst_case"][1:]
        value = record["worst"] + penalty["ridge"] / 2 * (x**2).sum() + penalty.get("l1", 0.0) * np.abs(x).sum()
        np.testing.assert_allclose(record["fun"], value, rtol=1e-12)


def test_a_strong_l1_leaves_only_the_intercept(people, features):
    model = solve_table(people, "wage", "region", features=features, l1=1e3).model
    x = model.coefficients["worst_case"][:, 0]
    assert (x[1:] == 0.0).all()
    assert x[0] != 0.0


def test_one_group_is_the_average_problem(people, features):
    solution = solve_table(people, "wage", "planet", features=features)
    problem = solution.report["problems"][0]
    np.testing.assert_allclose(problem["worst_case"]["fun"], problem["average"]["fun"], rtol=1e-8)
    assert any("one group only" in text for _, text in problem["data"]["notes"])


def test_a_table_without_features_is_a_constant(people):
    solution = solve_table(people[["wage", "region", "planet"]], "wage", "region", ridge=0.0)
    prediction = solution.model.predict(people)
    assert np.ptp(prediction) == 0.0
    means, spreads = people.groupby("region")["wage"].mean(), people.groupby("region")["wage"].var(ddof=0)
    worst = min(max((c - means) ** 2 + spreads) for c in np.linspace(means.min(), means.max(), 4001))
    assert solution.report["problems"][0]["worst_case"]["worst"] <= worst * (1 + 1e-8)


@pytest.mark.parametrize("loss", FAMILIES)
def test_held_out_losses_are_those_of_the_rows_held_out(people, features, loss):
    target = TARGET[loss]
    train, test = people[:60], people[60:].reset_index(drop=True)
    strange = pd.concat([test, test.head(2).assign(region="west"), test.head(1).assign(region=None)], ignore_index=True)
    strange = pd.concat([strange, test.head(1).assign(**{target: None})], ignore_index=True)
    solution = solve_table(train, target, "region", loss=loss, features=features, test=strange)
    problem = solution.report["problems"][0]
    record = problem["held_out"]
    assert record["strange"] == {"west": 2}
    assert record["rows_dropped"] == 4
    for which in ("average", "worst_case"):
        losses = row_losses(solution.model, test, which)
        by_group = pd.Series(losses).groupby(test["region"].to_numpy()).mean()
        np.testing.assert_allclose(record[which]["losses"], by_group[record["tasks"]], rtol=1e-9)
        np.testing.assert_allclose([record[which]["worst"], record[which]["mean"]], [by_group.max(), losses.mean()], rtol=1e-9)
    text = held_out_text(problem)
    assert "west (2 rows)" in text
    assert "in training" in text


def test_a_share_of_each_group_is_held_out(people, features):
    options = {"features": features, "holdout": 0.2}
    one, same, other = (solve_table(people, "wage", "region", seed=s, **options) for s in (1, 1, 2))
    problem = one.report["problems"][0]
    assert problem["held_out"]["rows"] == [6, 6, 6]
    assert problem["rows"] == [24, 24, 24]
    assert one.report["seed"] == 1
    np.testing.assert_array_equal(one.model.coefficients["average"], same.model.coefficients["average"])
    assert (one.model.coefficients["average"] != other.model.coefficients["average"]).any()


def test_a_group_keeps_a_row_for_training():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 5], "y": [1.0, 3, 2, 4], "g": list("aabb")})
    problem = solve_table(frame, "y", "g", holdout=0.9).report["problems"][0]
    assert problem["rows"] == problem["held_out"]["rows"] == [1, 1]


@pytest.mark.parametrize("options", [{}, {"l1": 3e3}, {"loss": "huber"}])
def test_the_reference_takes_few_rows_and_targets_of_any_size(options):
    pytest.importorskip("cvxpy")
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(12, 6)), columns=list("abcdef")).assign(y=1e5 * rng.normal(size=12), g=list("uvw") * 4)
    problem = solve_table(frame, "y", "g", ridge=0.1, reference=True, **options).report["problems"][0]
    assert problem["worst_case"]["certified"]
    assert abs(problem["reference"]["difference"]) < 2e-6, problem["reference"]


def test_rows_without_a_target_or_a_group_are_counted(people, features):
    frame = people.copy()
    frame.loc[[0, 1], "wage"] = np.nan
    frame.loc[2, "wage"] = np.inf
    frame.loc[[1, 3], "region"] = None
    data = solve_table(frame, "wage", "region", features=features).report["problems"][0]["data"]
    assert (data["rows_read"], data["rows_used"], data["rows_dropped"]) == (90, 86, 4)
    assert data["dropped"] == "3 without the target `wage` and 1 without a group"


def test_a_consequence_of_the_target_is_told(people):
    notes = solve_table(people, "rich", "region", features=["age", "wage"]).report["problems"][0]["data"]["notes"]
    assert any("told by one column alone: wage" in text for _, text in notes)
    notes = solve_table(people.assign(cents=people["wage"] * 100), "wage", "region", features=["age", "cents"])
    assert any("told by one column alone: cents" in text for _, text in notes.report["problems"][0]["data"]["notes"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "wages"}, "`--target`: the table has no column 'wages'. Did you mean 'wage'?"),
        ({"groups": ()}, "Name at least one column of groups"),
        ({"loss": "hinge"}, "`--loss` must be one of auto, least-squares"),
        ({"loss": "logistic:2"}, "takes no number"),
        ({"loss": "huber:-1"}, "`--loss huber`: `delta`"),
        ({"loss": "quantile:1"}, "`--loss quantile`: `quantile`"),
        ({"loss": "huber:wide"}, "'wide' is not a number"),
        ({"ambiguity": "ball"}, "`--ambiguity`: An ambiguity set is simplex"),
        ({"floor": 1.0}, "`--ambiguity`: `floor` must be"),
        ({"features": ("wage",)}, "names the target 'wage'"),
        ({"test": 1, "holdout": 0.2}, "Pass one of them"),
        ({"holdout": 0.001}, "takes no row of any group"),
    ],
)
def test_mistakes_are_told(people, changes, message):
    with pytest.raises(TableError, match=message):
        solve_table(people, **{"target": "wage", "groups": "region"} | changes)


def test_other_frames_are_refused(people):
    with pytest.raises(TableError, match=r"must be a pandas\.DataFrame, got dict"):
        solve_table({"a": [1]}, "a", "b")
    twice = pd.concat([people, people[["age"]]], axis=1)
    with pytest.raises(TableError, match="More than one column is named 'age'"):
        solve_table(twice, "wage", "region")
    empty = people.assign(wage=np.nan)
    with pytest.raises(TableError, match="No row has both a target `wage` and a group"):
        solve_table(empty, "wage", "region")


@pytest.mark.parametrize("loss", ["auto", "least-squares", "quantile"])
@pytest.mark.parametrize(("word", "hint"), [("oops", "pass `--missing 'oops'`"), ("9,5", "`--decimal ,`")])
def test_a_target_of_numbers_with_a_few_other_entries_is_told(people, features, loss, word, hint):
    wage = people["wage"].astype(str)
    wage[[4, 9]] = word
    with pytest.raises(TableError, match=hint):
        solve_table(people.assign(wage=wage), "wage", "region", features=features, loss=loss)


def test_classes_that_look_like_numbers_are_classes_where_the_loss_says_so(people, features):
    grade = np.resize(["1", "2", "3+", "3"], len(people))
    frame = people.assign(grade=grade)
    with pytest.raises(TableError, match="`--loss multinomial` if these are classes"):
        solve_table(frame, "grade", "region", features=features)
    assert solve_table(frame, "grade", "region", features=features, loss="multinomial").model.target.classes == (
        "1",
        "2",
        "3",
        "3+",
    )
    frame["grade"] = np.resize(["1", "none"], len(people))
    assert solve_table(frame, "grade", "region", features=features).model.target.classes == ("1", "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["wage"]}, "`--drop` names the target 'wage'"),
        ({"categorical": ["wage"]}, "pass `--loss multinomial`"),
        ({"drop": ["region"]}, "`--drop` names 'region', the column of the groups"),
        ({"categorical": ["region"]}, "`--categorical` names 'region'"),
        ({"l1": 0.1, "loss": "quantile"}, "Pass `--ridge` instead, or `--loss huber`"),
    ],
)
def test_options_that_would_do_nothing_are_refused(people, options, message):
    with pytest.raises(TableError, match=message):
        solve_table(people, "wage", "region", **options)


def test_a_group_that_is_a_feature_may_be_categorical(people):
    solution = solve_table(people, "wage", "region", features=["age", "region"], categorical=["region"])
    assert "region = south" in solution.model.encoding.names
