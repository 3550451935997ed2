/* Reduce, respond, and write the weights of the samples: one step of the adversary. See minimax_kernels/response/step.py for the formulas. */
#include "task_reduce.h"

#include <math.h>
#include <stdlib.h>

enum { SOFTMAX = 0, PROJECTION = 1 };

typedef struct {
    const double *losses, *prior; /* losses are -inf where a task is absent; the prior adds up to 1 */
    int64_t tasks;
    double smoothing;
    double *weights;
} response;

/* q_k exp((f_k - max) / smoothing) over its sum; without smoothing the tasks at the maximum share by their prior. Tasks of prior 0 are left out. */
static double softmax(const response *r, double top)
{
    double total = 0.0;
    for (int64_t k = 0; k < r->tasks; k++) {
        double gap = r->losses[k] - top, weight = r->prior[k];
        if (weight > 0.0)
            weight *= r->smoothing > 0.0 ? exp(gap / r->smoothing) : gap == 0.0 ? 1.0 : gap == gap ? 0.0 : gap;
        r->weights[k] = weight;
        total += weight;
    }
    for (int64_t k = 0; k < r->tasks; k++)
        r->weights[k] /= total;
    return top + (r->smoothing > 0.0 ? r->smoothing * log(total) : 0.0);
}

/* The projection of y = q + (f - max) / smoothing, and the value <w, f> - smoothing / 2 |w - q|^2.
 * Newton's method on the threshold from below: the support shrinks until it stays; the last step, on the final support, removes what the sums rounded. */
static double projection(const response *r, double top)
{
    int64_t tasks = r->tasks, support = 0, before;
    double *w = r->weights, largest = -INFINITY;
    for (int64_t k = 0; k < tasks; k++) {
        w[k] = r->prior[k] + (r->losses[k] - top) / r->smoothing;
        largest = w[k] > largest ? w[k] : largest;
    }
    double threshold = -1.0;
    for (int more = 1; more >= 0; more -= support == before) {
        double sum = 0.0;
        before = support;
        support = 0;
        for (int64_t k = 0; k < tasks; k++) {
            double above = w[k] - largest - threshold;
            if (above > 0.0) {
                sum += above;
                support++;
            }
        }
        if (!support)
            break; /* only where losses are nan */
        threshold += (sum - 1.0) / (double)support;
    }
    double value = top;
    for (int64_t k = 0; k < tasks; k++) {
        double weight = w[k] - largest - threshold, step;
        w[k] = weight > 0.0 ? weight : weight == weight ? 0.0 : weight;
        step = w[k] - r->prior[k];
        value += (w[k] == 0.0 ? 0.0 : w[k] * (r->losses[k] - top)) - r->smoothing / 2.0 * step * step;
    }
    return value;
}

static double respond(const response *r, int kind)
{
    double top = -INFINITY;
    int softmaxed = kind == SOFTMAX || r->smoothing == 0.0, missing = 0;
    for (int64_t k = 0; k < r->tasks; k++)
        if (!softmaxed || r->prior[k] > 0.0) {
            missing |= isnan(r->losses[k]) || r->losses[k] == INFINITY;
            top = r->losses[k] > top ? r->losses[k] : top;
        }
    if (top > -INFINITY && !missing)
        return softmaxed ? softmax(r, top) : projection(r, top);
    for (int64_t k = 0; k < r->tasks; k++) /* nothing to respond to, or nothing that could be said */
        r->weights[k] = missing ? NAN : r->prior[k];
    return missing ? NAN : 0.0;
}

/* Rounds the results to the type of the losses; `table` gets w_k / n_k. */
static void store(const problem *p, const response *r, const int64_t *counts, void *task_losses, void *weights, void *table)
{
    for (int64_t k = 0; k < p->tasks; k++) {
        double loss = counts[k] ? r->losses[k] : 0.0, row = counts[k] ? r->weights[k] / (double)counts[k] : 0.0;
        if (p->kind >= 2) {
            ((double *)task_losses)[k] = loss;
            ((double *)weights)[k] = r->weights[k];
            ((double *)table)[k] = row;
        } else {
            ((float *)task_losses)[k] = (float)loss;
            ((float *)weights)[k] = (float)r->weights[k];
            ((float *)table)[k] = (float)row;
        }
    }
}

/* `scratch` has 4 K doubles: sums, then task losses; maxima, then the table; weights; prior. */
static int step(const problem *p, const double *prior, double smoothing, int kind, double *scratch, void *const *out)
{
    int64_t tasks = p->tasks;
    reduction r = {.sums = scratch, .max = scratch + tasks, .counts = out[2]};
    double *q = scratch + 3 * tasks, total = 0.0, value;
    int status = reduce_by_task(p, &r);
    if (status)
        return status;
    for (int64_t k = 0; k < tasks; k++) {
        r.sums[k] = r.counts[k] ? r.sums[k] / (double)r.counts[k] : -INFINITY;
        total += q[k] = prior ? prior[k] : 1.0;
    }
    for (int64_t k = 0; k < tasks; k++)
        q[k] /= total;
    response response = {.losses = r.sums, .prior = q, .tasks = tasks, .smoothing = smoothing, .weights = scratch + 2 * tasks};
    value = respond(&response, kind);
    if (p->kind >= 2)
        *(double *)out[0] = value;
    else
        *(float *)out[0] = (float)value;
    store(p, &response, r.counts, out[1], out[3], r.max);
    return spread_by_task(p, r.max, out[4]);
}

/* task_step(losses, ids, samples, tasks, ignored, double, long; prior or 0, smoothing, response, value, task losses, counts, weights,
 * sample weights) -> whether all ids were valid. The prior is double; the rest is in the type of the losses. */
PyObject *task_step(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    problem p;
    void *out[5];
    if (n != 15)
        return PyErr_Format(PyExc_TypeError, "task_step takes 15 arguments, got %zd.", n);
    if (!task_problem(args, &p))
        return NULL;
    const double *prior = (const double *)(intptr_t)PyLong_AsLongLong(args[7]);
    double smoothing = PyFloat_AsDouble(args[8]);
    int kind = (int)PyLong_AsLong(args[9]), status = NO_MEMORY;
    for (int i = 0; i < 5; i++)
        out[i] = (void *)(intptr_t)PyLong_AsLongLong(args[10 + i]);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    double *scratch = malloc(4 * (size_t)p.tasks * sizeof *scratch);
    if (scratch) {
        status = step(&p, prior, smoothing, kind, scratch, out);
        free(scratch);
    }
    Py_END_ALLOW_THREADS
    return task_answer(status);
}
