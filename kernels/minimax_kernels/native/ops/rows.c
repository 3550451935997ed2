/* Cross-entropies of rows of logits and regression losses of patches: each row is read once forward, and once backward to write its derivative.
 * The order of a sum depends on its length alone, and no row depends on another: the number of threads changes no bit. */
#include "rows.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast") /* a * b + c rounded once, as clang does: a third of the time of the exponential */
#endif

#include <math.h>
#include <string.h>

#include "vectors.h"

#define DOUBLE 0
#include "numbers.h"
#include "rows_body.h"
#undef DOUBLE
#define DOUBLE 1
#include "numbers.h"
#include "rows_body.h"

/* ---- what Python sees: rows `start` to `stop` of tensors given by their addresses ---- */

static void *address(PyObject *object)
{
    return (void *)(intptr_t)PyLong_AsLongLong(object);
}

/* `base` + `index` numbers. */
static void *at(const void *base, int64_t index, int wide)
{
    return base ? (char *)base + index * (int64_t)(wide ? sizeof(double) : sizeof(float)) : NULL;
}

static PyObject *wrong_count(const char *name, int wanted, Py_ssize_t n)
{
    return PyErr_Format(PyExc_TypeError, "%s takes %d arguments, got %zd.", name, wanted, n);
}

/* (start, stop, double; logits, stride, classes, bias, labels, smoothing, ...) */
static int64_t logits_of(PyObject *const *args, cross_entropy_rows *p)
{
    int64_t start = PyLong_AsLongLong(args[0]);
    p->rows = PyLong_AsLongLong(args[1]) - start;
    p->wide = (int)PyLong_AsLong(args[2]);
    p->stride = PyLong_AsLongLong(args[4]);
    p->logits = at(address(args[3]), start * p->stride, p->wide);
    p->classes = PyLong_AsLongLong(args[5]);
    p->bias = address(args[6]);
    p->labels = (const int64_t *)address(args[7]) + start;
    p->smoothing = PyFloat_AsDouble(args[8]);
    return start;
}

/* cross_entropy_losses(start, stop, double, logits, stride, classes, bias, labels, smoothing; z_loss, losses, tops, log_sums, out, stride) */
PyObject *cross_entropy_losses(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    cross_entropy_rows p;
    if (n != 15)
        return wrong_count("cross_entropy_losses", 15, n);
    int64_t start = logits_of(args, &p), stride = PyLong_AsLongLong(args[14]);
    double z_loss = PyFloat_AsDouble(args[9]);
    void *losses = at(address(args[10]), start, p.wide), *tops = at(address(args[11]), start, p.wide);
    void *log_sums = at(address(args[12]), start, p.wide), *out = at(address(args[13]), start * stride, p.wide);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (p.wide)
        losses_double(&p, z_loss, losses, tops, log_sums, out, stride);
    else
        losses_float(&p, z_loss, losses, tops, log_sums, out, stride);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* cross_entropy_gradients(start, stop, double, logits, stride, classes, bias, labels, smoothing; bases, factors, weights, out, stride) */
PyObject *cross_entropy_gradients(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    cross_entropy_rows p;
    if (n != 14)
        return wrong_count("cross_entropy_gradients", 14, n);
    int64_t start = logits_of(args, &p), stride = PyLong_AsLongLong(args[13]);
    const void *bases = at(address(args[9]), start, p.wide), *factors = at(address(args[10]), start, p.wide);
    const void *weights = at(address(args[11]), start, p.wide);
    void *out = at(address(args[12]), start * stride, p.wide);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (p.wide)
        gradients_double(&p, bases, factors, weights, out, stride);
    else
        gradients_float(&p, bases, factors, weights, out, stride);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* (start, stop, double; pred, stride, target, stride, length, tasks, kind, beta, normalize, epsilon, ...) */
static int64_t patches_of(PyObject *const *args, patch_rows *p)
{
    int64_t start = PyLong_AsLongLong(args[0]);
    p->rows = PyLong_AsLongLong(args[1]) - start;
    p->wide = (int)PyLong_AsLong(args[2]);
    p->pred_stride = PyLong_AsLongLong(args[4]);
    p->pred = at(address(args[3]), start * p->pred_stride, p->wide);
    p->target_stride = PyLong_AsLongLong(args[6]);
    p->target = at(address(args[5]), start * p->target_stride, p->wide);
    p->length = PyLong_AsLongLong(args[7]);
    p->tasks = (const int64_t *)address(args[8]) + start;
    p->kind = (int)PyLong_AsLong(args[9]);
    p->beta = PyFloat_AsDouble(args[10]);
    p->normalize = (int)PyLong_AsLong(args[11]);
    p->epsilon = PyFloat_AsDouble(args[12]);
    return start;
}

/* patch_losses(start, stop, ..., epsilon; losses) */
PyObject *patch_losses(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    patch_rows p;
    if (n != 14)
        return wrong_count("patch_losses", 14, n);
    int64_t start = patches_of(args, &p);
    void *losses = at(address(args[13]), start, p.wide);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (p.wide)
        patch_losses_double(&p, losses);
    else
        patch_losses_float(&p, losses);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* patch_gradients(start, stop, ..., epsilon; weights, out) */
PyObject *patch_gradients(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    patch_rows p;
    if (n != 15)
        return wrong_count("patch_gradients", 15, n);
    int64_t start = patches_of(args, &p);
    const void *weights = at(address(args[13]), start, p.wide);
    void *out = at(address(args[14]), start * p.length, p.wide);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (p.wide)
        patch_gradients_double(&p, weights, out);
    else
        patch_gradients_float(&p, weights, out);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}
