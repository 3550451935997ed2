"""LAPACK and BLAS as scipy wraps them, loaded at the first call.

Loading scipy.linalg takes longer than loading all the rest of this package beside torch, and who only trains a network never needs it.
A function is an attribute of this module by its LAPACK name, ``lapack.dpotrf`` say.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # what the import system and debuggers ask every module for
        raise AttributeError(name)
    from scipy.linalg import blas, lapack

    function = getattr(lapack if hasattr(lapack, name) else blas, name)
    globals()[name] = function  # the next use finds it there
    return function
