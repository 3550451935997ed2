"""Groups by value, by bins, by intersection; small ones merged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from minimax_opt.tabular import TableError
from minimax_opt.tabular.grouping import SMALL, fit_groups, parse_groups, rare_groups


def fitted(frame, *specs, min_size=1):
    return fit_groups(parse_groups(frame, specs), frame, min_size)


def test_one_column_of_text_names_its_groups(people):
    grouping, notes = fitted(people, "region")
    assert grouping.groups == ("east", "north", "south")
    assert grouping.labels(people).tolist() == people["region"].tolist()
    assert notes == [("groups", "3 by region")]


def test_numbers_say_their_column_and_stand_in_order(people):
    frame = people.assign(site=np.arange(len(people)) % 11)
    assert fitted(frame, "site")[0].groups == tuple(f"site={k}" for k in [0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9])


def test_intersections(people):
    frame = people.assign(smoker=people["smoker"].astype(object))
    frame.loc[0, "smoker"] = None
    labels = parse_groups(frame, ["region", "smoker"]).labels(frame)
    assert labels[0] is None
    for label, region, smoker in list(zip(labels, frame["region"], frame["smoker"], strict=True))[1:]:
        assert label == f"region={region}, smoker={smoker}"


def test_bins_hold_about_as_many_rows_each(people):
    grouping, notes = fitted(people, "wage:4")
    sizes = pd.Series(grouping.labels(people)).value_counts()
    assert len(sizes) == 4
    assert sizes.max() - sizes.min() <= 2
    assert notes == [("groups", "4 by wage in 4 bins")]
    edges = grouping.columns[0].edges
    far = pd.DataFrame({"wage": [-1e9, edges[1], np.nextafter(edges[1], -np.inf), edges[-1], 1e9, np.nan]})
    first, second, *_, last = [grouping.columns[0].labels(pd.Series([e]))[0] for e in edges]
    assert grouping.labels(far).tolist() == [first, second, first, last, last, None]
    assert last.endswith("]")


def test_a_bin_holds_its_lower_edge():
    grouping, _ = fitted(pd.DataFrame({"v": [0.0, 1.0, 1.0, 1.0, 2.0, 2.0]}), "v:2")
    assert grouping.labels(pd.DataFrame({"v": [0.9, 1.0, 2.0]})).tolist() == ["[0, 1)", "[1, 2]", "[1, 2]"]


def test_a_column_whose_name_holds_a_colon():
    frame = pd.DataFrame({"a:3": list("xyxyxy"), "a": np.arange(6.0)})
    assert fitted(frame, "a:3")[0].groups == ("x", "y")


def test_small_groups_are_merged(people):
    frame = people.assign(region=[*"aabbbc", *["d"] * 84])
    grouping, notes = fitted(frame, "region", min_size=3)
    assert grouping.groups == ("b", "d", SMALL)
    assert grouping.labels(frame).tolist() == [SMALL, SMALL, "b", "b", "b", SMALL, *["d"] * 84]
    assert notes[1] == ("merged", f"2 groups of fewer than 3 rows, 3 rows in all, are one: {SMALL}")
    one_small, notes = fitted(frame[frame["region"] != "c"].reset_index(drop=True), "region", min_size=3)
    assert one_small.groups == ("a", "b", "d")
    assert notes[1] == ("note", "a has fewer than 3 rows, and there is no other small group to merge it with")


def test_one_group_is_told(people):
    assert fitted(people, "planet")[1][1][1].startswith("one group only")


def test_rare_groups_are_told():
    assert rare_groups([5, 50], ["a", "b"], 5) == []
    ((label, text),) = rare_groups([4, 50], ["a", "b"], 5)
    assert label == "warning"
    assert "fewer rows than the 5 coefficients: a (4)" in text
    assert rare_groups([4], ["a"], 5) == []  # there is no other group that it could be traded against


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("regoin", "`--group`: the table has no column 'regoin'. Did you mean 'region'?"),
        ("regoin:4", "Did you mean 'region'?"),
        ("wage", "90 distinct numbers make no groups. Bin them: `--group wage:4`"),
        ("name", "would make 90 groups of 90 rows"),
        ("region:4", "only numbers have bins, but `region` holds text such as 'north'"),
        ("wage:1", "whole number from 2 to 1000, got '1'"),
        ("wage:many", "whole number from 2 to 1000, got 'many'"),
        ("constant:3", "has a single value"),
    ],
)
def test_what_makes_no_groups_is_told(people, spec, message):
    with pytest.raises(TableError, match=message):
        fitted(people.assign(constant=1.0), spec)
