"""Which columns are used: each treatment, and the sentence about it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from minimax_opt.tabular import TableError
from minimax_opt.tabular.choose import choose_columns


def choose(frame, **options):
    return choose_columns(frame, ["y", "g"], **options)


def with_column(values):
    return pd.DataFrame({"a": values, "y": 0.0, "g": "one"})


def test_the_columns_of_a_table(people):
    choice = choose_columns(people, ["wage", "region"], drop=["rich", "level", "visits"])
    assert choice.numbers == ["age", "smoker"]
    assert choice.categories == ["city", "planet"]  # that it is constant shows when it is encoded
    reasons = {text.split(" (")[0]: text for text in choice.left_out}
    assert set(reasons) == {"row", "name", "born"}
    assert "numbers its rows" in reasons["row"]
    assert "90 distinct values in 90 rows" in reasons["name"]
    assert "a date or time" in reasons["born"]


@pytest.mark.parametrize(
    ("values", "use"),
    [
        ([1.5, 2.5, 2.5, 4.0], "numbers"),
        ([True, False, None, True], "numbers"),
        ([10, 11, 12, 13], "numbers"),  # 1, 2, 3 is a row number, this may be a year
        ([3, 1, 2, 0], "numbers"),
        (["x", "y", "x", "y"], "categories"),
        (["yes", "no", None, "no"], "categories"),
        (pd.Categorical(["u", "v", "w", "z"]), "categories"),
        (pd.Series(["u", "v", "u", None], dtype="string"), "categories"),
        ([np.nan] * 4, "empty"),
        ([0, 1, 2, 3], "numbers its rows"),
        (["one", "two", "three", "four"], "4 distinct values in 4 rows"),
        (["2020-01-01", "2020-01-02", "2020-01-01", None], "a date or time"),
        (["1/2/99", "1/2/99", "3/4/2001", "3/4/2001"], "a date or time"),
        (["12:30", "12:30", "9:15:01", "9:15:01"], "a date or time"),
        (pd.date_range("2020", periods=4), "a date or time"),
        (pd.date_range("2020", periods=4, tz="UTC"), "a date or time"),
        (pd.to_timedelta([1, 2, 3, 4], unit="s"), "of type timedelta64"),
        ([1j, 2j, 3j, 4j], "of type complex128"),
        ([[1], [2], [3], [4]], "compound entries"),
    ],
)
def test_what_a_column_is_used_as(values, use):
    frame = with_column(values)
    choice = choose(frame)
    if use in ("numbers", "categories"):
        assert getattr(choice, use) == ["a"]
        return
    assert choice.numbers == choice.categories == []
    assert use in choice.left_out[0]
    if use != "numbers its rows":  # what is left out on its own is an error where it is asked for
        with pytest.raises(TableError, match=rf"The feature 'a' cannot be used: .*{re.escape(use)}"):
            choose(frame, features=["a"])


@pytest.mark.parametrize("name", ["id", "user_id", "Case-ID", "index"])
def test_distinct_whole_numbers_called_id_are_left_out(name):
    frame = with_column([7, 19, 3, 4]).rename(columns={"a": name})
    assert name in choose(frame).left_out[0]
    assert choose(frame, features=[name]).numbers == [name]
    assert choose(frame.assign(**{name: [7, 7, 3, 4]})).numbers == [name]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "2", "?", "4"], "text in 1 rows: '?'.*--missing"),
        (["1,200", "2,400", "1,300", "900,000"], "--thousands ,"),
        (["10 %", "12 %", "10 %", "15 %"], "Take the signs off"),
        (["$3.50", "$4", "$5", "$6"], "Take the signs off"),
    ],
)
def test_broken_numbers_are_told_with_a_way_out(values, message):
    with pytest.raises(TableError, match=message):
        choose(with_column(values))
    assert choose(with_column(values), categorical=["a"]).categories == ["a"]
    assert choose(with_column(values), drop=["a"]).categories == []


def test_numbers_may_be_read_as_categories():
    assert choose(with_column([3, 1, 3, 1]), categorical=["a"]).categories == ["a"]


def test_unknown_and_contradicting_names():
    frame = with_column([1.5, 2.5, 2.5, 4.0]).rename(columns={"a": "height"})
    with pytest.raises(TableError, match=r"`--drop`: the table has no column 'heigth'\. Did you mean 'height'\?"):
        choose(frame, drop=["heigth"])
    with pytest.raises(TableError, match="both name 'height'"):
        choose(frame, drop=["height"], features=["height"])


def test_group_columns_are_features_only_where_they_are_named(people):
    assert "region" not in choose_columns(people, ["wage", "region"]).categories
    assert choose_columns(people, ["wage", "region"], features=["region", "age"]).categories == ["region"]


def test_an_infinite_entry_is_no_row_number():
    column = pd.Series([np.inf, 1.0] * 3)  # warnings are errors
    assert choose_columns(pd.DataFrame({"z": column}), []).numbers == ["z"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "2", "3,5", "4"], "written with commas, such as '3,5'"),
        (["3,5", "4,5", "1"], "written with commas"),
        (["1", "2", "3", "oops"], "pass `--missing 'oops'`"),
        (["$1", "$2,000", "3"], "with signs"),
    ],
)
def test_the_hint_fits_the_way_of_writing(values, message):
    with pytest.raises(TableError, match=message):
        choose_columns(pd.DataFrame({"z": values}), [])


def test_digits_that_are_text_in_the_data_frame_are_categories():
    frame = pd.DataFrame({"zip": pd.Series(["1", "2", "1", "2", "1"], dtype=object)})
    assert choose_columns(frame, []).categories == ["zip"]
