/* What Python sees of the projections onto the simplex. */
#ifndef MINIMAX_OPS_SIMPLEX_PROJECTION_H
#define MINIMAX_OPS_SIMPLEX_PROJECTION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *simplex_project(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *simplex_project_capped(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *simplex_tangent(PyObject *self, PyObject *const *args, Py_ssize_t n);

#endif
