/* The Python module minimax_kernels._native. Each solver has a file of its own; here stands what Python sees of it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "dual_newton.h"
#include "simplex_qp.h"

#define DEFINE(name, result, arguments) result(*name) arguments;
MINIMAX_BLAS(DEFINE)
MINIMAX_LAPACK(DEFINE)
#undef DEFINE

/* The function `name` of scipy.linalg.cython_blas or cython_lapack; NULL with an exception where it is missing or has other integers. */
static void *function(PyObject *capsules, const char *name)
{
    PyObject *capsule = PyMapping_GetItemString(capsules, name);
    if (capsule == NULL)
        return NULL;
    const char *signature = PyCapsule_GetName(capsule);
    void *pointer = NULL;
    if (signature != NULL && (strstr(signature, "(int *") || strstr(signature, " int *")))
        pointer = PyCapsule_GetPointer(capsule, signature);
    else
        PyErr_Format(PyExc_ImportError, "scipy's %s does not take pointers to int.", name);
    Py_DECREF(capsule);
    return pointer;
}

static int bind(const char *module, const char *names[], void **targets[], int count)
{
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *capsules = imported ? PyObject_GetAttrString(imported, "__pyx_capi__") : NULL;
    int found = capsules != NULL;
    for (int i = 0; found && i < count; i++)
        found = (*targets[i] = function(capsules, names[i])) != NULL;
    Py_XDECREF(capsules);
    Py_XDECREF(imported);
    return found ? 0 : -1;
}

#define NAME(name, result, arguments) #name,
#define TARGET(name, result, arguments) (void **)&name,

static int prepare(PyObject *module)
{
    const char *blas_names[] = {MINIMAX_BLAS(NAME)}, *lapack_names[] = {MINIMAX_LAPACK(NAME)};
    void **blas_targets[] = {MINIMAX_BLAS(TARGET)}, **lapack_targets[] = {MINIMAX_LAPACK(TARGET)};
    (void)module;
    if (bind("scipy.linalg.cython_blas", blas_names, blas_targets, sizeof(blas_names) / sizeof(*blas_names)))
        return -1;
    return bind("scipy.linalg.cython_lapack", lapack_names, lapack_targets, sizeof(lapack_names) / sizeof(*lapack_names));
}

/* An argument: an array of doubles of so many entries, or None if it may be. */
typedef struct {
    Py_buffer *buffer;
    Py_ssize_t entries;
    const char *name;
} Argument;

/* Whether all have their sizes; else an exception. */
static int sized(const Argument *arguments, int count)
{
    for (int i = 0; i < count; i++)
        if (arguments[i].buffer->buf != NULL && arguments[i].buffer->len != arguments[i].entries * (Py_ssize_t)sizeof(double)) {
            PyErr_Format(PyExc_ValueError, "`%s` must hold %zd doubles, got %zd bytes.", arguments[i].name, arguments[i].entries,
                         arguments[i].buffer->len);
            return 0;
        }
    return 1;
}

static void release(const Argument *arguments, int count)
{
    for (int i = 0; i < count; i++)
        PyBuffer_Release(arguments[i].buffer);
}

static PyObject *simplex_qp(PyObject *module, PyObject *arguments)
{
    Py_buffer M, c, lower, upper, w;
    double value = NAN;
    int pivots = 0, outcome = MINIMAX_NO_MEMORY;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*z*z*w*:simplex_qp", &M, &c, &lower, &upper, &w))
        return NULL;
    Py_ssize_t n = c.len / (Py_ssize_t)sizeof(double);
    const Argument parts[] = {{&M, n * n, "M"}, {&c, n, "c"}, {&lower, n, "lower"}, {&upper, n, "upper"}, {&w, n, "w"}};
    if (n < 1 || n > 46340) /* whose square is an int */
        PyErr_SetString(PyExc_ValueError, "`c` must hold 1 to 46340 numbers.");
    else if (sized(parts, 5)) {
        Py_BEGIN_ALLOW_THREADS
        double *workspace = malloc(minimax_simplex_qp_size((int)n) * sizeof(double));
        if (workspace != NULL)
            outcome = minimax_simplex_qp((int)n, M.buf, c.buf, lower.buf, upper.buf, w.buf, workspace, &value, &pivots);
        free(workspace);
        Py_END_ALLOW_THREADS
        result = outcome == MINIMAX_NO_MEMORY ? PyErr_NoMemory() : Py_BuildValue("di", value, pivots);
    }
    release(parts, 5);
    return result;
}

static PyObject *dual_newton(PyObject *module, PyObject *arguments)
{
    Py_buffer P, q, c, Q, lower, upper, x, w;
    double tol, atol;
    int limit, steps = 0, factorisations = 0, outcome;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*z*z*z*ddiw*w*:dual_newton", &P, &q, &c, &Q, &lower, &upper, &tol, &atol, &limit, &x, &w))
        return NULL;
    Py_ssize_t n = x.len / (Py_ssize_t)sizeof(double), k = c.len / (Py_ssize_t)sizeof(double);
    const Argument parts[] = {{&P, k * n * n, "P"}, {&q, k * n, "q"},        {&c, k, "c"}, {&Q, n * n, "Q"},
                              {&lower, k, "lower"}, {&upper, k, "upper"}, {&x, n, "x"}, {&w, k, "w"}};
    if (n < 1 || k < 1 || k > 46340 || n > INT_MAX / k)
        PyErr_SetString(PyExc_ValueError, "`q` must hold 1 to 2^31 - 1 numbers.");
    else if (sized(parts, 8)) {
        const MinimaxQuadratics tasks = {(int)k, (int)n, P.buf, q.buf, c.buf, Q.buf, lower.buf, upper.buf};
        Py_BEGIN_ALLOW_THREADS
        outcome = minimax_dual_newton(&tasks, tol, atol, limit, x.buf, w.buf, &steps, &factorisations);
        Py_END_ALLOW_THREADS
        result = outcome == MINIMAX_NO_MEMORY ? PyErr_NoMemory() : Py_BuildValue("ii", steps, factorisations);
    }
    release(parts, 8);
    return result;
}

extern const char linear_program_doc[];
PyObject *linear_program(PyObject *module, PyObject *args);

static PyMethodDef methods[] = {
    {"linear_program", linear_program, METH_VARARGS, linear_program_doc},
    {"simplex_qp", simplex_qp, METH_VARARGS, "simplex_qp(M, c, lower, upper, w) -> (value, pivots); w, the start, becomes the solution."},
    {"dual_newton", dual_newton, METH_VARARGS,
     "dual_newton(P, q, c, Q, lower, upper, tol, atol, limit, x, w) -> (steps, factorisations); x and w become the solution."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "minimax_kernels._native",
    .m_doc = "Small dense solvers in C, for float64 arrays that are contiguous.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
