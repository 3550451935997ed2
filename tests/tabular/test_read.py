"""Files as users have them: what is read, and what each mistake is told."""

from __future__ import annotations

import gzip
import re
import sys

import pytest

from minimax_opt.tabular import TableError, read_table

pytest.importorskip("pandas")


def write(tmp_path, content, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        ("a,b\n1,x\n2,y\n", "t.csv", {}),
        ("a, b\n1, x\n2, y\n", "t.csv", {}),
        ("a\tb\n1\tx\n2\ty\n", "t.tsv", {}),
        ("a;b\n1;x\n2;y\n", "t.csv", {"separator": ";"}),
        ("\ufeffa,b\n1,x\n2,y\n", "t.csv", {}),
        ("a,b\r\n1,x\r\n2,y\r\n\r\n", "t.csv", {}),
        ('"a","b"\n"1","x"\n2,"y"\n', "t.csv", {}),
    ],
)
def test_the_same_table_in_many_writings(tmp_path, content, name, options):
    frame = read_table(write(tmp_path, content, name), **options)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].tolist() == ["x", "y"]


def test_numbers_in_other_writings(tmp_path):
    path = write(tmp_path, "a;b\n1.234,5;?\n2,5;-1\n")
    frame = read_table(path, separator=";", decimal=",", thousands=".", missing=["?", "-1"])
    assert frame["a"].tolist() == [1234.5, 2.5]
    assert frame["b"].isna().all()


def test_other_encodings(tmp_path):
    path = write(tmp_path, "straße,b\n1,ü\n", encoding="latin-1")
    with pytest.raises(TableError, match="`--encoding latin-1`"):
        read_table(path)
    assert read_table(path, encoding="latin-1")["b"].tolist() == ["ü"]
    with pytest.raises(TableError, match="`--encoding`: unknown encoding"):
        read_table(path, encoding="no-such-code")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "names 2 columns but has no rows"),
        ("a;b;c\n1;2;3\n", "pass `--separator ';'`"),
        ("a\tb\n1\t2\n", r"pass `--separator '\\t'`"),
        ("a b c\n1 2 3\n", "pass `--separator ' '`"),
        ("first name;b\n1;2\n", "pass `--separator ';'`"),
        ("a,b,a\n1,2,3\n", "more than one column is named 'a'"),
        ("1,2.5,3\n4,5,6\n", "must name the columns"),
        ("a,b\n1,2\n1,2,3\n", "do not fit the header of 2 names"),
        ("a,b\n1,2,3\n1,2,3\n", "do not fit the header of 2 names"),
        ('"a,b\n1,2', "is opened near line 1 and never closed"),
        ('a,b\n1,2\n3,"4\n5,6\n', "is opened near line 3 and never closed"),
        ("# made by hand\na,b\n1,2\n", "If that is a comment, take it out of the file.$"),
        ("#a;b\n1;2\n", "pass `--separator ';'`"),
        ("# made, by hand\na,b,c\n1,2,3\n", "If the first line is a comment, take it out"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, content, message):
    with pytest.raises(TableError, match=message):
        read_table(write(tmp_path, content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": "::"}, "`--separator` must be one character, got '::'"),
        ({"separator": ""}, "`--separator` must be one character"),
        ({"thousands": "."}, "must differ. If '.' groups the digits, pass `--decimal ,`"),
        ({"thousands": ",", "decimal": ","}, "must differ. If ',' groups the digits, pass `--decimal .`"),
        ({"thousands": "1"}, "`--thousands` must be one character, no letter, digit or sign, got '1'"),
        ({"decimal": ".."}, "`--decimal` must be one character"),
    ],
)
def test_layouts_that_would_read_other_numbers_are_refused(tmp_path, options, message):
    with pytest.raises(TableError, match=re.escape(message)):
        read_table(write(tmp_path, "a,b\n1.234,5\n"), **options)


def test_quoted_numbers_may_hold_the_separator(tmp_path):
    path = write(tmp_path, 'a,b\n"1,5",x\n')
    assert read_table(path, decimal=",")["a"].tolist() == [1.5]
    assert read_table(path, thousands=",")["a"].tolist() == [15]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_rows_that_are_shorter_than_the_header_are_counted(tmp_path, name):
    content = b"a,b,c\n1,2,3\n4,5\n6,7,\n8\n\n"
    path = write(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    with pytest.warns(UserWarning, match="2 of 4 rows have fewer entries than the header"):
        frame = read_table(path)
    assert frame["c"].isna().tolist() == [False, True, True, True]


def test_an_empty_last_entry_is_no_short_row(tmp_path):
    assert read_table(write(tmp_path, "a,b\n1,\n2,NA\n"))["b"].isna().all()  # warnings are errors


def test_a_mistake_is_told_once(tmp_path):
    path = write(tmp_path, "a;b\n1;2\n")
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert str(caught.value).count(str(path)) == 1


def test_the_encoding_is_called_as_the_documentation_does(tmp_path):
    with pytest.raises(TableError, match="not utf-8 text"):
        read_table(write(tmp_path, b"a,b\n1,\xff\n"))


@pytest.mark.parametrize(("name", "content"), [("t.csv.gz", b"no gzip"), ("t.zip", b"no zip"), ("t.csv", b"a,b\n1,\xff\n")])
def test_damaged_files(tmp_path, name, content):
    with pytest.raises(TableError, match=name):
        read_table(write(tmp_path, content, name))


def test_no_file_and_no_table(tmp_path):
    for path, message in (
        (tmp_path / "absent.csv", "no such file"),
        (tmp_path, "is a folder"),
        (write(tmp_path, "", "t.xlsx"), "Save the table as CSV or Parquet"),
    ):
        with pytest.raises(TableError, match=message):
            read_table(path)


def test_without_pandas_the_pip_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(TableError, match=r'pip install "minimax_opt\[tabular\]"'):
        read_table(write(tmp_path, "a\n1\n"))


def test_without_pyarrow_the_pip_command_is_named(tmp_path, monkeypatch):
    import pandas as pd

    def absent(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", absent)
    with pytest.raises(TableError, match=r'pip install "minimax_opt\[tabular\]"'):
        read_table(write(tmp_path, "", "t.parquet"))


def test_parquet(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"], "c": pd.Categorical(["u", "v"])})
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)
    with pytest.raises(TableError, match="not a readable Parquet file"):
        read_table(write(tmp_path, "a,b\n1,2\n", "u.parquet"))
