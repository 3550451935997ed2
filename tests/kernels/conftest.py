"""The same tests on every backend: plain torch, C, and Triton on a GPU, or emulated on the host where there is none."""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is defined, hence before any is imported

from minimax_kernels.backend import has_triton, native_ops

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def available(backend: str) -> bool:
    """Whether `backend` can run here."""
    return {"torch": True, "native": native_ops() is not None, "triton": has_triton()}[backend]


def pytest_generate_tests(metafunc):
    """A test that asks for `backend` runs once on each; `BACKENDS` of its module names those that the op has."""
    if "backend" in metafunc.fixturenames:
        offered = getattr(metafunc.module, "BACKENDS", ("torch", "native", "triton"))
        marks = {name: () if available(name) else pytest.mark.skip(reason=f"{name} is not to be had here") for name in offered}
        metafunc.parametrize("backend", [pytest.param(name, marks=mark) for name, mark in marks.items()])


@pytest.fixture
def device(backend: str) -> torch.device:
    """Where that backend runs."""
    return DEVICE if backend == "triton" else torch.device("cpu")


@pytest.fixture
def generator() -> torch.Generator:
    """Seeded, on the CPU, so that every device gets the same numbers."""
    return torch.Generator().manual_seed(20231)
