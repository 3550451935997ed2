/* The iterations of linear_program.h: minimax_opt/solvers/interior_point.py, step by step, for affine losses and the simplex. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_program.h"

#define LOWEST_GAP 0.02 /* mu stays above this share of what the target needs */
#define SHORT 0.1       /* below this length of the predictor its second-order term corrects nothing */
#define INSIDE 0.1      /* how far from the bounds x starts: this share of the way that changes the model by its spread */
#define NARROW 0.25     /* or of the width of the box */
#define TINY 1.5e-154   /* the root of the smallest normal number */
#define PATIENCE 15     /* iterations without progress */

/* The gap asked for: max(tol |value|, atol), where atol counts up to coarsest |value| for larger values only. */
struct target {
    double tol, atol, coarsest;
};

struct limits {
    int iterations, correctors;
};

static double goal_at(const struct target *target, double value)
{
    double size = fabs(value), atol = size > target->atol ? fmin(target->atol, target->coarsest * size) : target->atol;
    return fmax(target->tol * size, atol);
}

/* The largest a <= 1e10 with values + a change >= 0, for values > 0. */
static double longest(ptrdiff_t count, const double *values, const double *change)
{
    double steepest = 0.0;
    for (ptrdiff_t k = 0; k < count; k++) {
        double ratio = change[k] / values[k];
        steepest = ratio < steepest ? ratio : steepest;
    }
    return steepest < -1e-10 ? -1.0 / steepest : 1e10;
}

/* The lengths at which the first slack and the first multiplier would vanish. */
static void limits_of(const struct lp *p, const struct lp_step *step, double limits[2])
{
    limits[0] = longest(p->n_pairs, p->slack, step->slack);
    limits[1] = longest(p->n_pairs, p->multiplier, step->multiplier);
}

/* Mehrotra's mu^: what the predictor leaves of the products, cubed; and the target that follows from it. */
static double set_target(struct lp *p, const struct lp_step *step, const double limits[2], double goal)
{
    double a = fmin(1.0, limits[0]), b = fmin(1.0, limits[1]), mean = p->complementarity / (double)p->n_pairs;
    double reached = p->complementarity + a * lp_dot(p->n_pairs, step->slack, p->multiplier);
    reached += b * lp_dot(p->n_pairs, p->slack, step->multiplier);
    reached += a * b * lp_dot(p->n_pairs, step->slack, step->multiplier);
    double share = fmin(fmax(reached / p->complementarity, 0.0), 1.0);
    double mu = fmax(share * share * share * mean, LOWEST_GAP * goal / (double)p->n_pairs);
    int second = fmin(a, b) > SHORT;
    for (ptrdiff_t k = 0; k < p->n_pairs; k++)
        p->target[k] = mu - p->slack[k] * p->multiplier[k] - (second ? step->slack[k] * step->multiplier[k] : 0.0);
    return mu;
}

/* Gondzio's target: products of a step that is a little longer, moved into [mu / 10, 10 mu]. */
static void correct_target(struct lp *p, const struct lp_step *step, double a, double b, double mu)
{
    a = fmin(1.0, 1.1 * a + 0.1);
    b = fmin(1.0, 1.1 * b + 0.1);
    for (ptrdiff_t k = 0; k < p->n_pairs; k++) {
        double trial = (p->slack[k] + a * step->slack[k]) * (p->multiplier[k] + b * step->multiplier[k]);
        double wanted = trial > 0.1 * mu ? (trial < 10 * mu ? trial : 10 * mu) : 0.1 * mu;
        double change = wanted - trial;
        p->target[k] += change > -10 * mu ? change : -10 * mu;
    }
}

/* Predictor and correctors: p->step, and its lengths for the slacks and for all else. */
static void direct(struct lp *p, double goal, int correctors, double lengths[2])
{
    double limits[2], further[2];
    struct lp_step *step = &p->first, *other = &p->second;
    for (ptrdiff_t k = 0; k < p->n_pairs; k++)
        p->target[k] = -p->slack[k] * p->multiplier[k];
    lp_newton(p, step);
    limits_of(p, step, limits);
    double mu = set_target(p, step, limits, goal);
    lp_newton(p, step);
    limits_of(p, step, limits);
    for (int corrector = 0; corrector < correctors; corrector++) {
        double a = fmin(1.0, limits[0]), b = fmin(1.0, limits[1]);
        if (fmin(a, b) >= 0.95)
            break;
        correct_target(p, step, a, b, mu);
        lp_newton(p, other);
        limits_of(p, other, further);
        if (!(fmin(1.0, further[0]) + fmin(1.0, further[1]) > a + b + 0.02))
            break;
        struct lp_step *better = other;
        other = step;
        step = better;
        memcpy(limits, further, sizeof limits);
    }
    lp_refine(p, step);
    limits_of(p, step, limits);
    double share = fmin(fmax(0.9, 1.0 - mu * (double)p->n_pairs / p->complementarity), 0.9995);
    lengths[0] = fmin(1.0, share * limits[0]);
    lengths[1] = fmin(1.0, share * limits[1]);
    p->step = step;
}

/* x within the bounds, off them by `margin` (n) or, where that is NULL, not at all */
static void confine(const struct lp *p, double *x, const double *margin)
{
    for (ptrdiff_t i = 0; p->lower && i < p->n; i++) {
        double off = margin ? margin[i] : 0.0;
        x[i] = fmin(fmax(x[i], p->lower[i] + off), p->upper[i] - off);
    }
}

static double gap(const struct lp *p)
{
    return p->value - lp_dot(p->n_tasks, p->slack, p->losses) / (1.0 - p->sum_residual) + p->bounds_gap;
}

static double mean_loss(const struct lp *p)
{
    double mean = 0.0;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        mean += p->losses[k] / (double)p->n_tasks;
    return mean;
}

/* The standard deviation of the losses, kept above zero. */
static double spread_of_losses(const struct lp *p)
{
    double mean = mean_loss(p), variance = 0.0;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        variance += (p->losses[k] - mean) * (p->losses[k] - mean) / (double)p->n_tasks;
    double spread = fmax(sqrt(variance), 1e-3 * fabs(mean));
    return spread > 0 ? spread : 1.0;
}

/* p->first.x, the Newton step from equal weights on mean + variance / (2 spread) of the losses, without the bounds; whether there is one. */
static int step_on_spread(struct lp *p, double spread)
{
    ptrdiff_t n_pairs = p->n_pairs, n_bounds = p->n_bounds;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++) {
        p->slack[k] = 1.0 / (double)p->n_tasks;
        p->multiplier[k] = spread;
        p->target[k] = 0.0;
    }
    p->level = 0.0;
    p->n_pairs = p->n_tasks, p->n_bounds = 0;
    lp_linearise(p);
    int found = lp_factor(p);
    if (found) {
        lp_newton(p, &p->first);
        lp_refine(p, &p->first);
    }
    p->n_pairs = n_pairs, p->n_bounds = n_bounds;
    return found;
}

/* x moved by that step where it lowers the worst case, and off the bounds; a least scale for the gap. What Python's `improved` does. */
static double improve(struct lp *p)
{
    double spread = spread_of_losses(p), scale = fmax(1e-3 * fabs(p->value), TINY), *start = p->second.x, *margin = p->work;
    int found = step_on_spread(p, spread);
    for (ptrdiff_t i = 0; p->lower && i < p->n; i++) {
        double reach = found ? sqrt(spread / p->diagonal[i]) : 1.0 + fabs(p->x[i]);
        margin[i] = fmin(INSIDE * reach, NARROW * (p->upper[i] - p->lower[i]));
    }
    confine(p, p->x, margin);
    lp_evaluate(p);
    if (!found)
        return scale;
    double before = p->value, decrease = 1e-3 * fabs(lp_dot(p->n, p->gradient, p->first.x));
    for (ptrdiff_t i = 0; i < p->n; i++) {
        start[i] = p->x[i];
        p->x[i] += p->first.x[i];
    }
    confine(p, p->x, margin);
    lp_evaluate(p);
    if (p->value < before)
        return fmax(fmax(decrease, 1e-3 * fabs(p->value)), TINY);
    memcpy(p->x, start, sizeof(double) * (size_t)p->n);
    lp_evaluate(p);
    return fmax(scale, decrease);
}

/* The first iterate: all pairs with the same product, which fits the adversary's effect; u ~ 1 / s. */
static void begin(struct lp *p)
{
    ptrdiff_t K = p->n_tasks;
    double inverse = 0.0, scale = improve(p);
    p->level = p->value + fmax(p->value - mean_loss(p), scale);
    for (ptrdiff_t k = 0; k < K; k++) {
        p->multiplier[k] = p->level - p->losses[k];
        inverse += 1.0 / p->multiplier[k];
    }
    for (ptrdiff_t k = 0; k < K; k++)
        p->slack[k] = 1.0 / inverse / p->multiplier[k];
    for (ptrdiff_t j = 0; j < p->n_bounds; j++) {
        p->multiplier[K + j] = -(p->slope[j] * p->x[p->index[j]] + p->bound[j]);
        p->slack[K + j] = 1.0 / inverse / p->multiplier[K + j];
    }
}

static void move(struct lp *p, const double lengths[2])
{
    for (ptrdiff_t k = 0; k < p->n_pairs; k++) {
        p->slack[k] += lengths[0] * p->step->slack[k];
        p->multiplier[k] += lengths[1] * p->step->multiplier[k];
    }
    for (ptrdiff_t i = 0; i < p->n; i++)
        p->x[i] += lengths[1] * p->step->x[i];
    p->level += lengths[1] * p->step->level;
    confine(p, p->x, NULL);
}

/* Iterations until the estimated gap meets the target; their number, negative where they do not get there. */
static int iterate(struct lp *p, const struct target *target, struct limits most, int warm, double *estimate)
{
    double least = INFINITY, lengths[2];
    int idle = 0;
    lp_evaluate(p);
    const double worst = p->value + goal_at(target, p->value); /* that a solution can have */
    if (!warm)
        begin(p);
    lp_linearise(p);
    for (int done = 1; done <= most.iterations && idle < PATIENCE; done++) {
        if (!(p->complementarity > DBL_MIN) || !lp_factor(p))
            break;
        direct(p, goal_at(target, p->value), most.correctors, lengths);
        move(p, lengths);
        lp_evaluate(p);
        lp_linearise(p);
        *estimate = gap(p) + lp_decrement(p);
        if (!isfinite(*estimate))
            break;
        if (*estimate <= goal_at(target, p->value))
            return p->value <= worst ? done : -1;
        idle = *estimate < 0.9 * least ? 0 : idle + 1;
        least = fmin(*estimate, least);
    }
    return -1;
}

static void set_bounds(struct lp *p)
{
    ptrdiff_t j = 0;
    for (int upper = 0; p->lower && upper < 2; upper++)
        for (ptrdiff_t i = 0; i < p->n; i++) {
            double bound = upper ? p->upper[i] : p->lower[i];
            if (isfinite(bound)) {
                p->index[j] = (int)i;
                p->slope[j] = upper ? 1.0 : -1.0;
                p->bound[j++] = upper ? -bound : bound;
            }
        }
}

/* Memory for all vectors in one piece, NULL without it; to be freed. */
static double *allocate(struct lp *p)
{
    size_t n = (size_t)p->n, pairs = (size_t)p->n_pairs, bounds = (size_t)p->n_bounds;
    size_t block = lp_block(p), total = n * n + block + 6 * n + 12 * pairs + 3 * bounds;
    double *memory = malloc(sizeof(double) * total), *next = memory;
    if (memory == NULL)
        return NULL;
    double **vectors[] = {&p->gradient, &p->mean, &p->diagonal, &p->work, &p->first.x, &p->second.x};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++, next += n)
        *vectors[i] = next;
    double **of_pairs[] = {&p->losses,       &p->residual,          &p->d,           &p->target,
                           &p->first.slack,  &p->first.multiplier,  &p->first.push,  &p->first.right,
                           &p->second.slack, &p->second.multiplier, &p->second.push, &p->second.right};
    for (size_t i = 0; i < sizeof of_pairs / sizeof *of_pairs; i++, next += pairs)
        *of_pairs[i] = next;
    p->matrix = next, next += n * n;
    p->block = next, next += block;
    p->slope = next, next += bounds;
    p->bound = next, next += bounds;
    p->index = (int *)next;
    return memory;
}

/* Whether the buffers' lengths fit together; fills in the sizes and the data. */
static int take(struct lp *p, Py_buffer *views)
{
    const size_t number = sizeof(double);
    p->n_tasks = views[1].len / (Py_ssize_t)number;
    p->n = views[4].len / (Py_ssize_t)number;
    p->n_pairs = views[5].len / (Py_ssize_t)number;
    p->n_bounds = 0;
    p->rows = views[0].buf, p->offset = views[1].buf;
    p->x = views[4].buf, p->slack = views[5].buf, p->multiplier = views[6].buf;
    if (views[2].len) {
        p->lower = views[2].buf, p->upper = views[3].buf;
        for (ptrdiff_t i = 0; i < p->n && views[2].len == views[4].len && views[3].len == views[4].len; i++)
            p->n_bounds += isfinite(p->lower[i]) + isfinite(p->upper[i]);
    }
    int fits = p->n > 0 && p->n_tasks > 0 && p->n <= INT_MAX && p->n_tasks + 2 * p->n <= INT_MAX;
    fits = fits && views[0].len / views[1].len == p->n && views[0].len % views[1].len == 0 && views[6].len == views[5].len;
    fits = fits && views[2].len == views[3].len && (!views[2].len || views[2].len == views[4].len);
    return fits && p->n_pairs == p->n_tasks + p->n_bounds;
}

const char linear_program_doc[] =
    "linear_program(G, c, lower, upper, x, slack, multiplier, level, tol, atol, coarsest, max_iter, correctors, warm)\n--\n\n"
    "Minimise max_k <G_k, x> + c_k by the interior point; float64 arrays that are contiguous.\n\n"
    "G has shape (K, n), c (K,), lower and upper (n,), or (0,) for no bounds. x (n,), slack and multiplier, (K + finite bounds,) each, are\n"
    "written to; with `warm` they and `level` are the first iterate, else x alone is. Ends where the estimated gap is at most\n"
    "max(tol |value|, atol), with min(atol, coarsest |value|) in place of atol where |value| > atol. Returns (iterations, level, estimated\n"
    "gap, factorisations); iterations is -1 where that was not reached, and the arrays then hold nothing of use.";

PyObject *linear_program(PyObject *module, PyObject *args)
{
    Py_buffer views[7];
    struct target target;
    struct lp p = {0};
    double estimate = INFINITY, *memory = NULL;
    struct limits most;
    int warm, done = -1;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*y*w*w*w*ddddiip", &views[0], &views[1], &views[2], &views[3], &views[4], &views[5], &views[6],
                          &p.level, &target.tol, &target.atol, &target.coarsest, &most.iterations,
                          &most.correctors, &warm))
        return NULL;
    if (!take(&p, views))
        PyErr_SetString(PyExc_ValueError, "The arrays' lengths do not fit together.");
    else if ((memory = allocate(&p)) == NULL)
        PyErr_NoMemory();
    else {
        Py_BEGIN_ALLOW_THREADS
        set_bounds(&p);
        done = iterate(&p, &target, most, warm, &estimate);
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("iddi", done, p.level, estimate, p.factorisations);
    }
    free(memory);
    for (int i = 0; i < 7; i++)
        PyBuffer_Release(&views[i]);
    return result;
}
