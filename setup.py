"""The compiled parts, in C: small dense solvers, and the ops on a CPU. Where they cannot be built the package installs without them."""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("kernels/minimax_kernels/native")


def extension(name: str, folder: Path) -> Extension:
    """The module `name` from the sources in `folder`."""
    return Extension(
        name,
        sources=sorted(str(path) for path in folder.glob("*.c")),
        depends=sorted(str(path) for path in folder.glob("*.h")),
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        extra_compile_args=["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math"],
        py_limited_api=True,  # one build serves Python 3.11 and all that follow
        optional=True,  # without a compiler
    )


setup(
    ext_modules=[extension("minimax_kernels._native", NATIVE / "solvers"), extension("minimax_kernels._ops", NATIVE / "ops")],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
