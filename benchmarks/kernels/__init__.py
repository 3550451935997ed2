"""The ops beside their peers, on one thread of a CPU or on a GPU. The shared package, imported first, holds BLAS at one thread."""

import benchmarks.common  # noqa: F401
