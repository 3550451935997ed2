/* Rows of numbers that are read once: cross-entropies of logits, regression losses of patches. */
#ifndef MINIMAX_OPS_ROWS_H
#define MINIMAX_OPS_ROWS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { L2 = 0, L1 = 1, SMOOTH_L1 = 2 };

typedef struct {
    const void *logits, *bias; /* no bias: NULL */
    const int64_t *labels;     /* below 0: the row does not count */
    int64_t rows, classes, stride;
    int wide; /* whether all floating numbers are double; else they are float */
    double smoothing;
} cross_entropy_rows;

typedef struct {
    const void *pred, *target;
    const int64_t *tasks; /* below 0: the patch does not count */
    int64_t rows, length, pred_stride, target_stride;
    int wide, kind, normalize;
    double beta, epsilon;
} patch_rows;

PyObject *cross_entropy_losses(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *cross_entropy_gradients(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *patch_losses(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *patch_gradients(PyObject *self, PyObject *const *args, Py_ssize_t n);

#endif
