"""``python -m pytest benchmarks --benchmark-only``: CPU time of each op at its small sizes, with its error against float64 in `extra_info`."""

import time

import pytest
import torch

from benchmarks.kernels import measure
from benchmarks.kernels.suite import FAMILIES, OURS, chosen

CPU = torch.device("cpu")
CASES = {case.name: case for _, case in chosen(FAMILIES, "cpu", quick=True)}
WORST = 1e-2  # of the largest entry; the tests of the ops are stricter


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", CASES)
def test_time_of_a_call(benchmark, name):
    case = CASES[name]
    inputs = case.make(21, CPU)
    run = case.prepare(OURS, inputs)
    outputs = benchmark(run)
    if case.reference is not None:
        errors = measure.errors(outputs, case.reference(inputs))
        benchmark.extra_info.update(errors=errors, **case.shape)
        assert max(errors, default=0.0) < WORST
