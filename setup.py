"""The one compiled part: small dense solvers in C. Where it cannot be built the package installs without it and uses NumPy."""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("kernels/minimax_kernels/native")

setup(
    ext_modules=[
        Extension(
            "minimax_kernels._native",
            sources=sorted(str(path) for path in NATIVE.glob("*.c")),
            depends=sorted(str(path) for path in NATIVE.glob("*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math"],
            py_limited_api=True,  # one build serves Python 3.11 and all that follow
            optional=True,  # without a compiler
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
