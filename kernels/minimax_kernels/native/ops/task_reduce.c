/* Losses of samples reduced by task, in floating point and in whole numbers, and the way back: the value of its task for each sample. */
#include "task_reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline)) /* for each clone, and each set of constants */
#else
#define INLINE inline
#endif

#define LANES 4          /* four hide the latency of load, add, store */
#define FEW_TASKS 256    /* up to here a new maximum of a lane is seldom */
#define MANY_TASKS 8192  /* beyond, four lanes would not stay in the cache */
#define CHUNK (1 << 30)  /* samples for a 32-bit count */
#define HIGH 1073741824.0 /* 2^30: the high part of a loss is below it */
#define LOW 2147483648.0  /* 2^31: parts of the low one in a unit of the high one */

/* The nearest whole number, ties to even, for |x| < 2^51. */
static inline double nearest(double x)
{
    const double shift = 6755399441055744.0; /* 1.5 * 2^52 */
    return (x + shift) - shift;
}

#define LOSS float
#define ID int32_t
#define NAME(x) x##_float_32
#include "task_reduce_body.h"
#define LOSS float
#define ID int64_t
#define NAME(x) x##_float_64
#include "task_reduce_body.h"
#define LOSS double
#define ID int32_t
#define NAME(x) x##_double_32
#include "task_reduce_body.h"
#define LOSS double
#define ID int64_t
#define NAME(x) x##_double_64
#include "task_reduce_body.h"

#define BY_KIND(p, function, ...)                                                        \
    ((p)->kind == 0   ? function##_float_32(__VA_ARGS__)                                 \
     : (p)->kind == 1 ? function##_float_64(__VA_ARGS__)                                 \
     : (p)->kind == 2 ? function##_double_32(__VA_ARGS__)                                \
                      : function##_double_64(__VA_ARGS__))

int reduce_by_task(const problem *p, reduction *r)
{
    for (int64_t k = 0; k < p->tasks; k++) {
        r->sums[k] = 0.0;
        r->counts[k] = 0;
        r->max[k] = -INFINITY;
    }
    int status = BY_KIND(p, reduce, p, r);
    for (int64_t k = 0; k < p->tasks; k++)
        if (isnan(r->sums[k])) /* comparisons pass over nan: say so here */
            r->max[k] = r->sums[k];
    if ((uint64_t)p->ignored < (uint64_t)p->tasks) { /* cheaper than to ask at each sample */
        r->sums[p->ignored] = 0.0;
        r->counts[p->ignored] = 0;
        r->max[p->ignored] = -INFINITY;
    }
    return status;
}

int spread_by_task(const problem *p, const void *table, void *out)
{
    return BY_KIND(p, spread, p, table, out);
}

/* The unit of the high parts: 2^(e-30) with the least e, from -900 to 1024, such that the bound is below 2^e. */
static double unit_for(double bound)
{
    int64_t bits;
    memcpy(&bits, &bound, sizeof bits);
    int64_t e = ((bits >> 52) & 2047) - 1022;
    return ldexp(1.0, (int)(e < -900 ? -900 : e > 1024 ? 1024 : e) - 30);
}

/* ---- what Python sees ---- */

int task_problem(PyObject *const *args, problem *p)
{
    p->losses = (const void *)(intptr_t)PyLong_AsLongLong(args[0]);
    p->ids = (const void *)(intptr_t)PyLong_AsLongLong(args[1]);
    p->samples = PyLong_AsLongLong(args[2]);
    p->tasks = PyLong_AsLongLong(args[3]);
    p->ignored = PyLong_AsLongLong(args[4]);
    p->kind = 2 * (int)PyLong_AsLong(args[5]) + (int)PyLong_AsLong(args[6]);
    return !PyErr_Occurred();
}

PyObject *task_answer(int status)
{
    if (status == NO_MEMORY)
        return PyErr_NoMemory();
    return PyBool_FromLong(status == 0);
}

/* task_reduce(losses, ids, samples, tasks, ignored, double, long; sums, counts, means, max) -> whether all ids were valid.
 * Means and maxima are in the type of the losses. */
PyObject *task_reduce(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    problem p;
    if (n != 11)
        return PyErr_Format(PyExc_TypeError, "task_reduce takes 11 arguments, got %zd.", n);
    if (!task_problem(args, &p))
        return NULL;
    reduction r = {.sums = (double *)(intptr_t)PyLong_AsLongLong(args[7]), .counts = (int64_t *)(intptr_t)PyLong_AsLongLong(args[8])};
    void *means = (void *)(intptr_t)PyLong_AsLongLong(args[9]), *max = (void *)(intptr_t)PyLong_AsLongLong(args[10]);
    if (PyErr_Occurred())
        return NULL;
    int status = NO_MEMORY, wide = p.kind >= 2;
    Py_BEGIN_ALLOW_THREADS
    r.max = malloc((size_t)p.tasks * sizeof *r.max);
    if (r.max) {
        status = reduce_by_task(&p, &r);
        for (int64_t k = 0; k < p.tasks; k++) {
            double mean = r.counts[k] ? r.sums[k] / (double)r.counts[k] : 0.0;
            if (wide) {
                ((double *)means)[k] = mean;
                ((double *)max)[k] = r.max[k];
            } else {
                ((float *)means)[k] = (float)mean;
                ((float *)max)[k] = (float)r.max[k];
            }
        }
        free(r.max);
    }
    Py_END_ALLOW_THREADS
    return task_answer(status);
}

/* task_reduce_exact(losses, ids, samples, tasks, ignored, double, long; bound, totals, max, unit) -> whether all ids were valid.
 * `bound` is 0 where it is to be found. `totals` is int64, (5, tasks); `max` and `unit` are double. */
PyObject *task_reduce_exact(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    problem p;
    if (n != 11)
        return PyErr_Format(PyExc_TypeError, "task_reduce_exact takes 11 arguments, got %zd.", n);
    if (!task_problem(args, &p))
        return NULL;
    const double *bound = (const double *)(intptr_t)PyLong_AsLongLong(args[7]);
    int64_t *totals = (int64_t *)(intptr_t)PyLong_AsLongLong(args[8]);
    double *max = (double *)(intptr_t)PyLong_AsLongLong(args[9]), *unit = (double *)(intptr_t)PyLong_AsLongLong(args[10]);
    if (PyErr_Occurred())
        return NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    *unit = unit_for(bound ? *bound : BY_KIND(&p, largest, &p));
    memset(totals, 0, 5 * (size_t)p.tasks * sizeof *totals);
    for (int64_t k = 0; k < p.tasks; k++)
        max[k] = -INFINITY;
    status = BY_KIND(&p, reduce_exact, &p, *unit, totals, max);
    Py_END_ALLOW_THREADS
    return task_answer(status);
}

/* task_spread(table, ids, samples, tasks, ignored, double, long; out) -> whether all ids were valid. */
PyObject *task_spread(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    problem p;
    if (n != 8)
        return PyErr_Format(PyExc_TypeError, "task_spread takes 8 arguments, got %zd.", n);
    if (!task_problem(args, &p))
        return NULL;
    void *out = (void *)(intptr_t)PyLong_AsLongLong(args[7]);
    if (PyErr_Occurred())
        return NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = spread_by_task(&p, p.losses, out);
    Py_END_ALLOW_THREADS
    return task_answer(status);
}
