/* The adversary's responses to rows of losses. See minimax_kernels/response for the formulas. */
#ifndef MINIMAX_OPS_RESPONSE_H
#define MINIMAX_OPS_RESPONSE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *smooth_max(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *mirror_step(PyObject *self, PyObject *const *args, Py_ssize_t n);

#endif
