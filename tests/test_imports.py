"""What `import minimax_opt` loads, in a fresh interpreter, and what the first solve adds."""

import subprocess
import sys

import pytest

NOT_AT_ONCE = {"scipy", "cvxpy", "matplotlib", "sklearn", "pandas", "triton", "transformers"}


def packages_after(code):
    """Names of the top-level packages loaded by `code` in a new process."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_loads_nothing_that_it_does_not_need_at_once():
    loaded = packages_after("import minimax_opt")
    assert {"torch", "numpy"} <= loaded  # else the test sees nothing
    assert not loaded & NOT_AT_ONCE - packages_after("import torch")


def test_training_is_apart_and_cheap():
    """`import minimax_opt` leaves it out, and it brings no further package: not torch's compiler either."""
    code = "import sys, minimax_opt; before = {*sys.modules}; import minimax_opt.nn; print(*sorted({*sys.modules} - before))"
    added = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "minimax_opt.nn.loss" in added
    assert all(name.startswith(("minimax_opt", "minimax_kernels")) for name in added), added


def test_the_theory_is_loaded_by_those_who_ask_for_it():
    code = "import sys, minimax_opt\nassert 'minimax_opt.theory' not in sys.modules\nimport minimax_opt.theory"
    assert not packages_after(code) & NOT_AT_ONCE - packages_after("import torch")


def test_scipy_comes_with_the_first_factorisation():
    loaded = packages_after(
        "import numpy, minimax_opt\nminimax_opt.minimize_max(minimax_opt.LeastSquaresTasks([numpy.eye(2)], [numpy.ones(2)]))"
    )
    assert "scipy" in loaded
    assert not loaded & {"cvxpy", "matplotlib", "sklearn", "pandas"}


def test_a_function_that_lapack_has_not_is_an_attribute_error():
    from minimax_opt import lapack

    with pytest.raises(AttributeError):
        _ = lapack.no_such_function
    assert not hasattr(lapack, "__wrapped__")
    assert callable(lapack.dpotrf)
    assert callable(lapack.dtrsm)
