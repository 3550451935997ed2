/* Cross-entropies of rows of logits and regression losses of patches: each row is read once forward, and once backward to write its derivative.
 * The order of a sum depends on its length alone, and no row depends on another: the number of threads changes no bit. */
#include "rows.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast") /* a * b + c rounded once, as clang does: a third of the time of the exponential */
#endif

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define CLONES
#endif

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline)) /* for each clone */
#else
#define INLINE inline
#endif

/* The next loop reads and writes the same place at most: an entry never another one's. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#define LANES 32   /* partial sums of a row */
#define BLOCK 1024 /* entries that stay in the first-level cache between two looks at them */

/* The sum of `term`, an expression in i, over i < n. */
#define SUM(total, n, term)                                               \
    do {                                                                  \
        REAL lanes[LANES] = {0};                                          \
        int64_t whole = (n) - (n) % LANES;                                \
        for (int64_t start = 0; start < whole; start += LANES)            \
            for (int lane = 0; lane < LANES; lane++) {                    \
                int64_t i = start + lane;                                 \
                lanes[lane] += (term);                                    \
            }                                                             \
        for (int64_t i = whole; i < (n); i++)                             \
            lanes[i - whole] += (term);                                   \
        for (int half = LANES / 2; half > 0; half /= 2)                   \
            for (int lane = 0; lane < half; lane++)                       \
                lanes[lane] += lanes[lane + half];                        \
        total = lanes[0];                                                 \
    } while (0)

#define REAL float
#define BITS uint32_t
#define NAME(x) x##_float
#define COEFFICIENTS 0.5f, 0.16666518f, 0.041666206f, 0.008368953f, 0.0013950602f
#define DEGREE 4
#define SHIFT 12582912.0f /* 1.5 * 2^23 */
#define LOG_2_HIGH 0.693359375f
#define LOG_2_LOW -2.12194440e-4f
#define BIAS 127
#define MANTISSA 23
#define LOWEST -87.3f
#define MAGNITUDE fabsf
#include "rows_body.h"

#define REAL double
#define BITS uint64_t
#define NAME(x) x##_double
#define COEFFICIENTS                                                                                                    \
    0.5000000000000013, 0.166666666666667, 0.0416666666665143, 0.008333333333306993, 0.0013888888947336973, 0.00019841269917860477, \
        2.4801489584612006e-05, 2.7557215858838645e-06, 2.7631415862816743e-07, 2.5118005699370136e-08
#define DEGREE 9
#define SHIFT 6755399441055744.0 /* 1.5 * 2^52 */
#define LOG_2_HIGH 0.693145751953125
#define LOG_2_LOW 1.42860682030941723212e-6
#define BIAS 1023
#define MANTISSA 52
#define LOWEST -708.3
#define MAGNITUDE fabs
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
