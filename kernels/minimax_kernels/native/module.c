/* The Python module minimax_kernels._native. Each solver has a file of its own; here stands what Python sees of it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "blas.h"

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

static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};

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
