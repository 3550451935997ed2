/* A program over the simplex while it is solved, and the climb within a face: for simplex_qp.c. */
#ifndef MINIMAX_SIMPLEX_QP_FACE_H
#define MINIMAX_SIMPLEX_QP_FACE_H

#include <math.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    double key;
    int index;
} Ranked;

typedef struct {
    int n, n_free, pivots;
    double total;
    const double *M;
    double *c, *upper, *root; /* upper: NULL without caps; root: the square roots of M's diagonal */
    double *w, *jump, *previous, *slopes, *excess, *whole, *best, *gain, *fixed, *matrix;
    int *free, *kept;
    Ranked *ranked;
} Program;

static inline double cap(const Program *qp, int k) { return qp->upper ? qp->upper[k] : INFINITY; }

static inline const double *row(const Program *qp, int k) { return qp->M + (ptrdiff_t)k * qp->n; }

static inline double sum(const double *a, int n)
{
    double total = 0.0;
    for (int k = 0; k < n; k++)
        total += a[k];
    return total;
}

static inline void copy(double *to, const double *from, int n) { memcpy(to, from, (size_t)n * sizeof(double)); }

/* h = c - Mw */
void minimax_find_slopes(const Program *qp, const double *w, double *slopes);

/* From w, uphill to the optimum of a face where all free weights are off their bounds. Free weights at a bound have just entered. */
int minimax_settle(Program *qp);

#endif
