/* The QP over the simplex, with or without caps, by the active set method of minimax_opt/solvers/capped_qp.py, whose names are
   used here: a task is at zero (after a shift by its lower bound), free, or at its cap. Without caps the start and the number of
   tasks that may enter at once are those of minimax_opt/solvers/simplex_qp.py. */
#include "simplex_qp.h"

#include <float.h>
#include <stdlib.h>

#include "simplex_qp_face.h"

#define NOISE (16 * DBL_EPSILON) /* slopes that differ by less than this, relative to their terms, are equal */
#define NEAR 1e-14               /* of a bound: on it */

enum { FEW = 8, MANY = 50 };

size_t minimax_simplex_qp_size(int n_tasks)
{
    size_t n = (size_t)n_tasks;
    return n * n + 14 * n; /* eleven vectors, n of Ranked (two doubles each), 2 n int, the matrix */
}

/* By how much the slope of each task asks it off its bound, less the noise, in qp->excess; 0 for the free tasks. */
static void find_excess(Program *qp)
{
    double level = 0.0, weight = 0.0, pull = 0.0, constant = 0.0, zero = -INFINITY, capped = INFINITY;
    for (int k = 0; k < qp->n; k++) {
        pull += qp->root[k] * qp->w[k];
        constant += fabs(qp->c[k]) * qp->w[k];
        if (qp->w[k] > 0.0)
            capped = fmin(capped, qp->slopes[k]);
        else
            zero = fmax(zero, qp->slopes[k]);
    }
    for (int i = 0; i < qp->n_free; i++) {
        weight += qp->w[qp->free[i]];
        level += qp->slopes[qp->free[i]] * qp->w[qp->free[i]];
    }
    level = qp->n_free ? level / weight : 0.5 * (zero + capped); /* infinite where all are at their caps: no excess */
    for (int k = 0; k < qp->n; k++) {
        double noise = NOISE * (qp->root[k] * pull + fabs(qp->c[k]) + (pull * pull + constant) / qp->total);
        qp->excess[k] = (qp->w[k] > 0.0 ? level - qp->slopes[k] : qp->slopes[k] - level) - noise;
    }
    for (int i = 0; i < qp->n_free; i++)
        qp->excess[qp->free[i]] = 0.0;
}

static int descending(const void *a, const void *b)
{
    double x = ((const Ranked *)a)->key, y = ((const Ranked *)b)->key;
    return (x < y) - (x > y);
}

/* Free the candidates that enter: as many as are free; if `careful`, the first, or at a vertex the first of either kind. */
static void enter(Program *qp, int careful)
{
    int n_candidates = 0, most = qp->n_free, pair = careful && qp->n_free == 0, kinds = 0;
    for (int k = 0; k < qp->n; k++)
        if (qp->excess[k] > 0.0 || pair)
            qp->ranked[n_candidates++] = (Ranked){qp->excess[k], k};
    qsort(qp->ranked, (size_t)n_candidates, sizeof(Ranked), descending);
    if (qp->upper) { /* a vertex may have no free task, and a CVaR has many at their bounds */
        int share = qp->n / 4 < MANY ? qp->n / 4 : MANY;
        most = most > share ? most : share;
        most = most > 2 ? most : 2;
    }
    most = pair ? n_candidates : careful ? 1 : most;
    for (int i = 0; i < n_candidates && i < most; i++) {
        int k = qp->ranked[i].index, kind = qp->w[k] > 0.0 ? 1 : 2;
        if (!pair || !(kinds & kind))
            qp->free[qp->n_free++] = k;
        kinds |= kind;
    }
}

/* A vertex: the caps filled in the order of the slopes at the centre; without caps the best. */
static void start_at_vertex(Program *qp)
{
    double rest = qp->total, share;
    if (!qp->upper) {
        int best = 0;
        for (int k = 0; k < qp->n; k++) {
            qp->gain[k] = qp->c[k] - 0.5 * qp->total * row(qp, k)[k];
            best = qp->gain[k] > qp->gain[best] ? k : best;
        }
        memset(qp->w, 0, (size_t)qp->n * sizeof(double));
        qp->w[best] = rest;
        qp->free[qp->n_free++] = best;
        return;
    }
    share = qp->total / sum(qp->upper, qp->n);
    for (int k = 0; k < qp->n; k++)
        qp->w[k] = share * qp->upper[k];
    minimax_find_slopes(qp, qp->w, qp->slopes);
    for (int k = 0; k < qp->n; k++)
        qp->ranked[k] = (Ranked){qp->slopes[k], k};
    qsort(qp->ranked, (size_t)qp->n, sizeof(Ranked), descending);
    for (int i = 0; i < qp->n; i++) {
        int k = qp->ranked[i].index;
        int whole = rest >= qp->upper[k] - NEAR * qp->total;
        qp->w[k] = whole ? qp->upper[k] : fmax(rest, 0.0);
        if (!whole && rest > NEAR * qp->total)
            qp->free[qp->n_free++] = k;
        else if (!whole)
            qp->w[k] = 0.0;
        rest -= qp->w[k];
    }
}

/* The face of the start w where it says one, a vertex where it does not: as a prior, which lies within all bounds. */
static void start(Program *qp)
{
    int n_free = 0, n_bound = 0, n = qp->n;
    qp->n_free = 0;
    for (int k = 0; k < n; k++) {
        qp->w[k] = qp->w[k] > NEAR ? (qp->w[k] < cap(qp, k) - NEAR ? qp->w[k] : cap(qp, k)) : 0.0;
        if (qp->w[k] > 0.0 && qp->w[k] < cap(qp, k))
            qp->free[n_free++] = k;
        else
            n_bound++;
    }
    double mass = sum(qp->w, n);
    int taken = qp->upper ? n_bound > 0 && fabs(mass - qp->total) <= NEAR * n : n_free > 0 && (n_bound > 0 || n < FEW);
    if (!taken) {
        start_at_vertex(qp);
        return;
    }
    for (int k = 0; !qp->upper && k < n; k++)
        qp->w[k] *= qp->total / mass;
    qp->n_free = n_free;
}

static int climb(Program *qp)
{
    int careful = 0, limit = 10 * qp->n + 50;
    start(qp);
    memset(qp->previous, 0, (size_t)qp->n * sizeof(double)); /* which adds up to no total */
    for (;;) {
        int before = qp->pivots, stuck, candidates = 0;
        if (minimax_settle(qp))
            return MINIMAX_NOT_A_NUMBER;
        minimax_find_slopes(qp, qp->w, qp->slopes);
        find_excess(qp);
        for (int k = 0; k < qp->n; k++)
            candidates |= qp->excess[k] > 0.0;
        stuck = memcmp(qp->w, qp->previous, (size_t)qp->n * sizeof(double)) == 0;
        if (!candidates || qp->pivots > limit || (stuck && careful))
            return MINIMAX_OK;
        careful = stuck || qp->pivots - before > 3;
        copy(qp->previous, qp->w, qp->n);
        enter(qp, careful);
    }
}

/* The vectors of a program, one after the other in the workspace. */
static void allot(Program *qp, double *workspace)
{
    double **vectors[] = {&qp->c,    &qp->upper, &qp->root, &qp->jump, &qp->previous, &qp->slopes, &qp->excess,
                          &qp->whole, &qp->best,  &qp->gain, &qp->fixed};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++, workspace += qp->n)
        *vectors[i] = workspace;
    qp->ranked = (Ranked *)workspace;
    workspace += 2 * (ptrdiff_t)qp->n;
    qp->free = (int *)workspace;
    qp->kept = qp->free + qp->n;
    qp->matrix = workspace + qp->n;
}

int minimax_simplex_qp(int n_tasks, const double *M, const double *c, const double *lower, const double *upper, double *w,
                       double *workspace, double *value, int *pivots)
{
    Program program = {.n = n_tasks, .total = 1.0, .M = M, .w = w}, *qp = &program;
    double peak = c[0], shift = 0.0;
    allot(qp, workspace);
    for (int k = 0; k < n_tasks; k++)
        peak = fmax(peak, c[k]);
    if (lower) {
        for (int k = 0; k < n_tasks; k++)
            qp->c[k] = 0.0;
        minimax_find_slopes(qp, lower, qp->slopes); /* -M lower */
        qp->total -= sum(lower, n_tasks);
    }
    for (int k = 0; k < n_tasks; k++) {
        double least = lower ? lower[k] : 0.0, pull = lower ? -qp->slopes[k] : 0.0;
        qp->c[k] = c[k] - peak - pull;
        shift += (c[k] - peak - 0.5 * pull) * least;
        qp->upper[k] = upper ? upper[k] - least : 0.0;
        qp->root[k] = sqrt(fmax(row(qp, k)[k], 0.0));
        w[k] -= least;
    }
    qp->upper = upper ? qp->upper : NULL;
    int outcome = climb(qp);
    *value = peak + shift;
    for (int k = 0; k < n_tasks; k++) {
        *value += 0.5 * (qp->c[k] + qp->slopes[k]) * w[k];
        w[k] = outcome ? NAN : w[k] + (lower ? lower[k] : 0.0);
    }
    *value = outcome ? NAN : *value;
    *pivots = qp->pivots;
    return outcome;
}
