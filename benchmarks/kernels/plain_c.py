"""The best native code that we know for sums, counts and maxima, compiled for this very machine and called without any checks."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.kernels.suite import Inputs, Run

SOURCE = """
#include <math.h>
#include <stdint.h>
typedef struct { double sum; float max; int32_t count; } cell;
static inline void add(cell *c, float loss)
{
    c->sum += loss;
    c->count++;
    if (loss > c->max)
        c->max = loss;
}
void reduce(const float *losses, const int64_t *ids, int64_t n, int64_t tasks, cell *cells, double *sums, int64_t *counts, float *max)
{
    int64_t i = 0;
    for (int64_t c = 0; c < tasks * LANES; c++)
        cells[c] = (cell){0.0, -INFINITY, 0};
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            add(cells + ids[i + lane] * LANES + lane, losses[i + lane]);
    for (; i < n; i++)
        add(cells + ids[i] * LANES, losses[i]);
    for (int64_t k = 0; k < tasks; k++) {
        sums[k] = 0.0;
        counts[k] = 0;
        max[k] = -INFINITY;
        for (int lane = 0; lane < LANES; lane++) {
            sums[k] += cells[k * LANES + lane].sum;
            counts[k] += cells[k * LANES + lane].count;
            max[k] = fmaxf(max[k], cells[k * LANES + lane].max);
        }
    }
}
"""


@cache
def library(lanes: int) -> ctypes.CDLL:
    """The loop with that many sums in flight."""
    folder = Path(tempfile.mkdtemp())
    (folder / "reduce.c").write_text(SOURCE)
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", f"-DLANES={lanes}", "reduce.c", "-o", "reduce.so"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImportError("there is no C compiler") from error
    return ctypes.CDLL(str(folder / "reduce.so"))


def plain_c(inputs: Inputs, lanes: int) -> Run:
    """Sums, counts and maxima, into memory that was there before."""
    losses, ids, n_tasks = inputs["losses"], inputs["ids"], inputs["n_tasks"]
    if losses.device.type != "cpu":
        raise NotImplementedError("runs on a CPU")
    reduce = library(lanes).reduce
    cells = torch.empty(n_tasks * lanes, 2, dtype=torch.float64)
    sums, counts = torch.empty(n_tasks, dtype=torch.float64), torch.empty(n_tasks, dtype=torch.int64)
    held = (losses, ids, cells, sums, counts, torch.empty(n_tasks))
    pointers = [ctypes.c_void_p(x.data_ptr()) for x in held]
    arguments = [*pointers[:2], ctypes.c_int64(len(losses)), ctypes.c_int64(n_tasks), *pointers[2:]]

    def run() -> tuple[Tensor, Tensor]:
        reduce(*arguments)
        return held[3], held[4]

    return run


__all__ = ["plain_c"]
