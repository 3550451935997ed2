/* What the files of the reduction by tasks share. */
#ifndef MINIMAX_OPS_TASK_REDUCE_H
#define MINIMAX_OPS_TASK_REDUCE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { WRONG_ID = 1, NO_MEMORY = 2 };

typedef struct {
    const void *losses, *ids;
    int64_t samples, tasks, ignored;
    int kind; /* 2 * (losses are double) + (ids are 64 bits wide) */
} problem;

typedef struct {
    double *sums, *max; /* of `tasks` elements each */
    int64_t *counts;
} reduction;

int task_problem(PyObject *const *args, problem *p); /* the first seven arguments of every function; 0 after an error in Python */
PyObject *task_answer(int status);                         /* whether all ids were valid, or an exception */

int reduce_by_task(const problem *p, reduction *r);
int spread_by_task(const problem *p, const void *table, void *out);

PyObject *task_reduce(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *task_reduce_exact(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *task_spread(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *task_step(PyObject *self, PyObject *const *args, Py_ssize_t n);

#endif
