"""A model predicts what was trained, in this process and in another, from a file that runs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minimax_opt.tabular import TableError, load_model, read_table, solve_table
from minimax_opt.tabular.prepare import Recipe, prepare

pd = pytest.importorskip("pandas")

TARGETS = [
    ("wage", "least-squares"),
    ("wage", "huber"),
    ("wage", "quantile"),
    ("visits", "poisson"),
    ("rich", "logistic"),
    ("level", "multinomial"),
]


@pytest.fixture(params=TARGETS, ids=lambda case: case[1])
def solved(request, people, features):
    target, loss = request.param
    return target, loss, solve_table(people, target, "region", loss=loss, features=features).model


def expected(model, people, which):
    """The prediction by hand, from the coefficients and the definition of the columns."""
    age = people["age"].fillna(people["age"].median())
    city = people["city"].fillna("(missing)")
    columns = {"intercept": np.ones(len(people)), "age": (age - age.mean()) / age.std(ddof=0)}
    columns["age = (missing)"] = people["age"].isna()
    columns["smoker"] = (people["smoker"] - people["smoker"].mean()) / people["smoker"].std(ddof=0)
    columns |= {f"city = {name}": city == name for name in city.unique()}
    matrix = np.column_stack([np.asarray(columns[name], dtype=float) for name in model.encoding.names])
    return matrix @ model.coefficients[which]


@pytest.mark.parametrize("which", ["worst_case", "average"])
def test_predictions_follow_their_definition(solved, people, which):
    _, loss, model = solved
    z = expected(model, people, which)
    prediction = model.predict(people, which)
    if loss in ("least-squares", "huber", "quantile"):
        np.testing.assert_allclose(prediction, z[:, 0], rtol=1e-10)
    elif loss == "poisson":
        np.testing.assert_allclose(prediction, np.exp(z[:, 0]), rtol=1e-10)
    elif loss == "logistic":
        chance = 1.0 / (1.0 + np.exp(-z[:, 0]))
        np.testing.assert_allclose(model.predict_proba(people, which), np.column_stack([1.0 - chance, chance]), rtol=1e-9)
        assert prediction.tolist() == np.where(chance >= 0.5, "yes", "no").tolist()
    else:
        chances = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(people, which), chances, rtol=1e-9)
        assert prediction.tolist() == np.array(["high", "low", "middle"])[chances.argmax(axis=1)].tolist()


def test_a_saved_model_is_the_model(solved, people, tmp_path):
    model = solved[2]
    loaded = load_model(model.save(tmp_path / "model.json"))
    for which in ("worst_case", "average"):
        np.testing.assert_array_equal(loaded.predict(people, which), model.predict(people, which))
    assert loaded.encoding == model.encoding
    assert loaded.grouping == model.grouping
    assert (
        loaded.save(tmp_path / "again.json").read_text().split('"loss"')[1]
        == ((tmp_path / "model.json").read_text().split('"loss"')[1])
    )


def test_another_process_predicts_the_same(people, features, tmp_path):
    model = solve_table(people, "wage", "region", features=features).model
    model.save(tmp_path / "model.json")
    people.to_csv(tmp_path / "people.csv", index=False)
    code = "import sys; from minimax_opt.tabular import *; m = load_model('model.json'); print(m.predict(read_table('people.csv')).tolist())"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env={"PYTHONPATH": _root()}
    ).stdout
    np.testing.assert_allclose(json.loads(out), model.predict(people), rtol=1e-14)


def _root():
    root = Path(__file__).parents[2]
    return f"{root}:{root / 'kernels'}"


def test_the_order_of_rows_and_columns_does_not_matter(solved, people):
    model = solved[2]
    shuffled = people.sample(frac=1.0, random_state=1)[people.columns[::-1]]
    prediction = model.predict_table(shuffled)
    pd.testing.assert_frame_equal(prediction.sort_index(), model.predict_table(people), rtol=1e-12)


def test_the_frame_is_not_changed(people, features):
    before = people.copy(deep=True)
    solve_table(people, "wage", "region", features=features, holdout=0.3).model.predict(people)
    pd.testing.assert_frame_equal(people, before)


def test_what_is_new_is_told(people, features):
    model = solve_table(people, "wage", "region", features=features).model
    new = people.head(3).assign(city=["Oslo", "Rome", "Rome"], region=["west", "west", None])
    with pytest.warns(UserWarning, match="training did not have") as told:
        model.predict(new)
    texts = [str(warning.message) for warning in told]
    assert any("category that training did not have ('Oslo')" in text for text in texts)
    assert any("2 rows are of groups that training did not have ('west')" in text for text in texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(people.drop(columns=["region", "wage", "name"]))  # neither target nor group is needed


def test_a_table_that_lacks_a_column_is_refused(people, features):
    model = solve_table(people, "wage", "region", features=features).model
    with pytest.raises(TableError, match="lacks columns that the model was trained on: city, smoker"):
        model.predict(people.drop(columns=["city", "smoker"]))
    with pytest.raises(TableError, match="`age` must be numbers"):
        model.predict(people.assign(age="old"))
    with pytest.raises(TableError, match="`wage` is a number, so there are no probabilities"):
        model.predict_proba(people)
    with pytest.raises(TableError, match="`which` must be one of worst_case, average, got 'best'"):
        model.predict(people, "best")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema="other/1"), "has schema 'other/1'"),
        (lambda m: m.pop("loss"), "'loss' is missing"),
        (lambda m: m["loss"].update(kind="unknown"), "the loss 'unknown' is not known"),
        (lambda m: m["loss"].update(n_classes=2), "are not"),
        (lambda m: m["columns"].pop(), "the coefficients are not"),
        (lambda m: m["coefficients"]["worst_case"][0].append(1.0), "is damaged"),
        (lambda m: m["coefficients"]["average"][0].__setitem__(0, None), "is damaged"),
        (lambda m: m["columns"][0].update(scale="wide"), "is damaged"),
        (lambda m: m.update(groups=3), "is damaged"),
    ],
)
def test_a_damaged_file_is_refused(people, features, tmp_path, change, message):
    path = solve_table(people, "wage", "region", features=features).model.save(tmp_path / "model.json")
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    with pytest.raises(TableError, match=message):
        load_model(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.json"
    with pytest.raises(TableError, match="No such file"):
        load_model(path)
    for content in (b"\x80\x04\x95", b"[]", b"{", b"null"):  # the first is how a pickle begins
        path.write_bytes(content)
        with pytest.raises(TableError, match=r"Pass the model\.json"):
            load_model(path)


CELLS = st.tuples(
    st.none() | st.floats(-1e3, 1e3).map(lambda v: round(v, 3)),
    st.none() | st.sampled_from(["x", "y", "ü, z", "nan-like"]),
    st.sampled_from(["a", "b"]) | st.none(),
    st.none() | st.integers(-5, 5),
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, min_size=12, max_size=25))
def test_random_tables_survive_the_file_and_the_csv(tmp_path, rows):
    """Whatever is missing where: the rows that are used are those with a target and a group; a CSV tells the same as the frame."""
    frame = pd.DataFrame(rows, columns=["number", "text", "group", "target"]).astype({"number": float, "target": float})
    usable = frame["group"].notna() & frame["target"].notna()
    if frame["target"][usable].nunique() < 2:
        with pytest.raises(TableError, match=r"nothing to learn|No row"):
            prepare(frame, Recipe("target", ("group",), loss="least-squares"), "here")
        return
    prepared = prepare(frame, Recipe("target", ("group",), loss="least-squares", categorical=("text",)), "here")
    assert prepared.rows.n_rows == usable.sum()
    assert prepared.rows.rows_read == len(frame)
    kept = frame[usable]
    assert dict(zip(prepared.rows.names, prepared.rows.rows, strict=True)) == kept["group"].value_counts().to_dict()
    solution = solve_table(frame, "target", "group", loss="least-squares", categorical=("text",))
    path = tmp_path / "rows.csv"
    kept.to_csv(path, index=False)
    model = load_model(solution.model.save(tmp_path / "model.json"))
    again = model.predict(read_table(path))
    np.testing.assert_allclose(again, solution.model.predict(kept), rtol=1e-9, atol=1e-9)
    for which in ("average", "worst_case"):
        squares = (solution.model.predict(kept, which) - kept["target"]) ** 2
        record = solution.report["problems"][0][which]
        by_group = squares.groupby(kept["group"]).mean()
        np.testing.assert_allclose(record["losses"], by_group[list(prepared.rows.names)], rtol=1e-6, atol=1e-9)
