"""Convex solvers beside their peers, on one thread: the shared package, imported first, holds BLAS there."""

import benchmarks.common  # noqa: F401
