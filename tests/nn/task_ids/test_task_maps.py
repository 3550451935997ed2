"""Task maps: stable names, ids of new data, saving."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minimax_opt.nn.task_ids import (
    UNIVERSAL_POS_GROUPS,
    BucketMap,
    LabelMap,
    ProductMap,
    TaskMap,
    TokenMap,
    count_tasks,
    load_task_map,
    modality_ids,
    token_task_ids,
)

MAPS = {
    "labels": (LabelMap({"noun": ["NOUN", "PROPN"], "année": ["VERB"], "7": [7]}, unknown="ignore"), ["VERB", "NOUN", 7, "X"]),
    "buckets": (BucketMap([3.0, 10.5], "length"), [1, 3, 10.5, 11, float("nan")]),
    "tokens": (TokenMap.from_counts([5, 0, 9, 1], 3), [0, 1, 2, 3, -100, 99]),
    "product": (ProductMap(LabelMap(["a", "b"]), BucketMap([1.0])), (["a", "b", None], [0, 2, 1])),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_that_was_saved_is_the_same_map(name, tmp_path):
    task_map, values = MAPS[name]
    task_map.save(tmp_path / "tasks.json")
    again = load_task_map(tmp_path / "tasks.json")
    assert again == task_map
    assert again.task_names == task_map.task_names
    assert torch.equal(again(values), task_map(values))
    json.dumps(task_map.to_dict())  # fits into a JSON checkpoint
    assert len(set(task_map.task_names)) == task_map.n_tasks


@pytest.mark.parametrize("saved", [{"kind": "labels", "format": 99}, {"kind": "?", "format": 1}, [], {}])
def test_what_is_no_map_is_refused(saved):
    with pytest.raises(ValueError, match="task map"):
        TaskMap.from_dict(saved)


# ---- labels ----


@given(st.lists(st.text(max_size=3) | st.integers(-3, 3).map(str), min_size=1), st.randoms())
def test_names_do_not_depend_on_the_order_of_the_data(values, random):
    one = LabelMap.from_values(values)
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert LabelMap.from_values(shuffled + shuffled) == one
    assert [one.task_names[k] for k in one(values)] == values


@pytest.mark.parametrize(
    "column",
    [
        ["b", "a", "b", None],
        np.array(["b", "a", "b", None], dtype=object),
        pd.Series(["b", "a", "b", None]),
        pd.Series(["b", "a", "b", None], dtype="category"),
        pd.Series(["b", "a", "b", None], dtype="string"),
    ],
    ids=["list", "array", "pandas", "categories", "strings"],
)
def test_a_column_with_gaps(column):
    domains = LabelMap.from_values(column)
    assert domains.task_names == ("a", "b")
    assert domains(column).tolist() == [1, 0, 1, -100]


def test_integers_keep_their_order_and_their_device():
    classes = LabelMap.from_values(torch.tensor([10, 9, 9]))
    assert classes.task_names == ("9", "10")  # not as texts, where 10 comes first
    assert classes(torch.tensor([[10], [9]])).tolist() == [[1], [0]]
    assert classes(np.array([9.0, np.nan])).tolist() == [0, -100]
    assert LabelMap.from_values([True, False]).task_names == ("False", "True")


def test_mixed_labels_do_not_become_texts():
    assert LabelMap(["1", 2])([2, "1"]).tolist() == [1, 0]
    with pytest.raises(ValueError, match="read the same"):
        LabelMap.from_values([1, "1"])


def test_an_unknown_label_is_an_error_that_names_a_near_one_or_left_out():
    with pytest.raises(ValueError, match="Did you mean 'NOUN'"):
        LabelMap(["NOUN", "VERB"])(["NOUM"])
    with pytest.raises(ValueError, match="of type int"):
        LabelMap(["1"])([1])
    assert LabelMap(["NOUN"], unknown="ignore")(["NOUM", "NOUN"]).tolist() == [-100, 0]


def test_rare_labels_share_a_task():
    values = ["a"] * 5 + ["b"] * 5 + ["c", "d"]
    assert LabelMap.from_values(values, least_count=2, rest="others")(values).bincount().tolist() == [5, 5, 2]
    alone = LabelMap.from_values(values, least_count=2, unknown="ignore")
    assert alone(["a", "c"]).tolist() == [0, -100]
    assert LabelMap.from_values(["a"], rest="others").task_names == ("a",)
    with pytest.raises(ValueError, match="`rest`"):
        LabelMap.from_values(values, least_count=2, rest="a")


@pytest.mark.parametrize(
    ("groups", "error"),
    [("ab", TypeError), ({"a": "x"}, TypeError), ({"a": ["x"], "b": ["x"]}, ValueError), ({"a": []}, ValueError), ([], ValueError),
     (["a", "a"], ValueError), ([1.5], TypeError), ({"a": [None]}, ValueError), (3, TypeError)],
)  # fmt: skip
def test_groups_that_are_none(groups, error):
    with pytest.raises(error):
        LabelMap(groups)


def test_the_universal_tags_are_all_there_once():
    tags = LabelMap(UNIVERSAL_POS_GROUPS)
    assert sum(map(len, tags.groups.values())) == 17
    assert tags.task_names[tags(["AUX"])] == "verb"


# ---- numbers ----


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 6))
def test_quantiles_fill_every_bucket(values, n_buckets):
    buckets = BucketMap.from_values(values, n_buckets)
    counts = count_tasks(buckets(values), buckets.n_tasks)
    assert 1 <= buckets.n_tasks <= n_buckets
    assert counts.min() > 0
    if len(set(values)) == len(values) and len(values) >= n_buckets:
        assert buckets.n_tasks == n_buckets
        assert counts.max() - counts.min() <= 1


def test_edges_are_fixed_on_the_training_data():
    buckets = BucketMap.from_values(np.arange(100), 4, "length")
    assert buckets.task_names == ("length <= 24", "24 < length <= 49", "49 < length <= 74", "length > 74")
    assert buckets(np.arange(1000, 2000)).unique().tolist() == [3]  # of other data too
    assert buckets([24, 24.5]).tolist() == [0, 1]
    assert BucketMap.from_values([7, 7, 7], 5, "length").task_names == ("length",)
    assert len(set(BucketMap([1.00001, 1.00002]).task_names)) == 3


@pytest.mark.parametrize("bad", [[2, 1], [1, 1], [float("nan")]])
def test_edges_that_are_none(bad):
    with pytest.raises(ValueError, match="`edges`"):
        BucketMap(bad)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40).filter(any), st.integers(1, 5))
def test_tokens_of_a_task_have_about_the_same_share_of_the_text(counts, n_buckets):
    tokens = TokenMap.from_counts(counts, n_buckets)
    ids = tokens(torch.arange(len(counts)))
    totals = [sum(c for c, k in zip(counts, ids, strict=True) if k == task) for task in range(tokens.n_tasks)]
    assert min(totals) > 0
    for task in range(tokens.n_tasks):  # a task without its rarest token is within its share
        own = [c for c, k in zip(counts, ids, strict=True) if k == task and c > 0]
        assert sum(own) - min(own) <= sum(counts) / n_buckets + 1e-6
    frequent = [min(c for c, k in zip(counts, ids, strict=True) if k == task) for task in range(tokens.n_tasks)]
    assert frequent == sorted(frequent, reverse=True)


def test_tokens_on_any_device_without_synchronisation():
    tokens = TokenMap.from_counts([3, 2, 1], 2)
    assert tokens(torch.zeros(2, 5, dtype=torch.int32, device="meta")).shape == (2, 5)
    with pytest.raises(TypeError, match="integers"):
        tokens(torch.zeros(2))
    with pytest.raises(ValueError, match="`table`"):
        TokenMap([0, 5], ("a", "b"))


# ---- pairs and sequences ----


def test_pairs_are_all_pairs():
    pairs = ProductMap(LabelMap(["a", "b"]), LabelMap(["x", "y", "z"]))
    ids = pairs((["a", "a", "a", "b", "b", "b"], ["x", "y", "z"] * 2))
    assert ids.tolist() == list(range(6))
    assert pairs.task_names[4] == "b, y"
    assert pairs((["b"], [["z"], [None]])).tolist() == [[5], [-100]]


def test_modalities_are_positions():
    assert count_tasks(modality_ids({"rgb": 4, "none": 0, "depth": 2}), 3).tolist() == [4, 0, 2]
    with pytest.raises(ValueError, match="lengths"):
        modality_ids({"rgb": -1})


def test_words_that_were_cut_otherwise_are_refused():
    assert token_task_ids(torch.tensor([5]), [0, 0, None]).tolist() == [5, 5, -100]
    with pytest.raises(ValueError, match="other words"):
        token_task_ids([5], [0, 1])
    with pytest.raises(ValueError, match="there are 2 tasks"):
        count_tasks(torch.tensor([2]), 2)
