/* The Python module minimax_kernels._ops: the ops on a CPU. Tensors come as addresses, which the callers in Python have checked and made contiguous. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "response.h"
#include "rows.h"
#include "simplex_projection.h"
#include "task_reduce.h"

static PyMethodDef methods[] = {
    {"cross_entropy_gradients", (PyCFunction)(void (*)(void))cross_entropy_gradients, METH_FASTCALL, NULL},
    {"cross_entropy_losses", (PyCFunction)(void (*)(void))cross_entropy_losses, METH_FASTCALL, NULL},
    {"patch_gradients", (PyCFunction)(void (*)(void))patch_gradients, METH_FASTCALL, NULL},
    {"patch_losses", (PyCFunction)(void (*)(void))patch_losses, METH_FASTCALL, NULL},
    {"mirror_step", (PyCFunction)(void (*)(void))mirror_step, METH_FASTCALL, NULL},
    {"simplex_project", (PyCFunction)(void (*)(void))simplex_project, METH_FASTCALL, NULL},
    {"simplex_project_capped", (PyCFunction)(void (*)(void))simplex_project_capped, METH_FASTCALL, NULL},
    {"simplex_tangent", (PyCFunction)(void (*)(void))simplex_tangent, METH_FASTCALL, NULL},
    {"smooth_max", (PyCFunction)(void (*)(void))smooth_max, METH_FASTCALL, NULL},
    {"task_reduce", (PyCFunction)(void (*)(void))task_reduce, METH_FASTCALL, NULL},
    {"task_reduce_exact", (PyCFunction)(void (*)(void))task_reduce_exact, METH_FASTCALL, NULL},
    {"task_spread", (PyCFunction)(void (*)(void))task_spread, METH_FASTCALL, NULL},
    {"task_step", (PyCFunction)(void (*)(void))task_step, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "minimax_kernels._ops",
    .m_doc = "The ops on a CPU, in C. Internal: addresses are taken as they come.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__ops(void)
{
    return PyModuleDef_Init(&definition);
}
