"""The best native code that we know for the work of task_reduce, compiled for this very machine, and called as our own C is.

Sums, counts, means and maxima of checked ids, from tensors to new tensors, through a function of an extension module: so that the difference
is what our checks of arguments and our dispatch cost, and what a build for every machine does.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sysconfig
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.kernels.suite import Inputs, Run

SOURCE = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
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
static int accumulate(const float *losses, const int64_t *ids, int64_t n, int64_t tasks, int64_t ignored, cell *cells)
{
    int64_t i = 0;
    int wrong = 0;
    for (int64_t c = 0; c < tasks * LANES; c++)
        cells[c] = (cell){0.0, -INFINITY, 0};
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            int64_t id = ids[i + lane];
            if ((uint64_t)id < (uint64_t)tasks)
                add(cells + id * LANES + lane, losses[i + lane]);
            else
                wrong |= id != ignored;
        }
    for (; i < n; i++)
        if ((uint64_t)ids[i] < (uint64_t)tasks)
            add(cells + ids[i] * LANES, losses[i]);
        else
            wrong |= ids[i] != ignored;
    return wrong;
}
static PyObject *reduce(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    int64_t a[9];
    for (int i = 0; i < 9; i++)
        a[i] = PyLong_AsLongLong(args[i]);
    int64_t tasks = a[3], *counts = (int64_t *)a[6];
    double *sums = (double *)a[5];
    float *means = (float *)a[7], *max = (float *)a[8];
    cell *cells = malloc((size_t)tasks * LANES * sizeof *cells);
    int wrong = accumulate((const float *)a[0], (const int64_t *)a[1], a[2], tasks, a[4], cells);
    for (int64_t k = 0; k < tasks; k++) {
        cell all = cells[k * LANES];
        for (int lane = 1; lane < LANES; lane++) {
            const cell *c = cells + k * LANES + lane;
            all.sum += c->sum;
            all.count += c->count;
            all.max = c->max > all.max ? c->max : all.max;
        }
        sums[k] = all.sum;
        counts[k] = all.count;
        means[k] = all.count ? (float)(all.sum / all.count) : 0.0f;
        max[k] = isnan(all.sum) ? NAN : all.max;
    }
    free(cells);
    return PyBool_FromLong(!wrong);
}
static PyMethodDef methods[] = {{"reduce", (PyCFunction)(void (*)(void))reduce, METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "plain", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_plain(void) { return PyModule_Create(&definition); }
"""


@cache
def module(lanes: int) -> Any:
    """The loop with that many sums in flight."""
    folder = Path(tempfile.mkdtemp())
    (folder / "plain.c").write_text(SOURCE)
    include = f"-I{sysconfig.get_path('include')}"
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", include, f"-DLANES={lanes}", "plain.c", "-o", "plain.so"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImportError("there is no C compiler") from error
    spec = importlib.util.spec_from_file_location("plain", folder / "plain.so")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def plain_c(inputs: Inputs, lanes: int) -> Run:
    """Sums and counts, and means and maxima that are not looked at."""
    losses, ids, n_tasks = inputs["losses"], inputs["ids"], inputs["n_tasks"]
    if losses.device.type != "cpu":
        raise NotImplementedError("runs on a CPU")
    reduce = module(lanes).reduce

    def run() -> tuple[Tensor, Tensor]:
        sums, counts = torch.empty(n_tasks, dtype=torch.float64), torch.empty(n_tasks, dtype=torch.int64)
        means, largest = torch.empty(n_tasks), torch.empty(n_tasks)
        out = sums.data_ptr(), counts.data_ptr(), means.data_ptr(), largest.data_ptr()
        if not reduce(losses.data_ptr(), ids.data_ptr(), len(ids), n_tasks, -100, *out):
            raise ValueError("an id is out of range")
        return sums, counts

    return run


__all__ = ["plain_c"]
