/* The climb within a face of the QP over the simplex. What is NaN fails every comparison that would go on, and each loop goes on
   only while a set of tasks shrinks, or for a fixed number of tries. */
#include "simplex_qp_face.h"

#include <float.h>

#include "blas.h"
#include "simplex_qp.h"

#define TINY 1e-150 /* curvature of a face on which M vanishes */
#define NEAR 1e-14  /* of a bound: on it */

enum { TRIES = 150 };

void minimax_find_slopes(const Program *qp, const double *w, double *slopes)
{
    copy(slopes, qp->c, qp->n);
    for (int j = 0; j < qp->n; j++) {
        const double *column = row(qp, j), weight = w[j];
        if (weight != 0.0)
            for (int k = 0; k < qp->n; k++)
                slopes[k] -= weight * column[k];
    }
}

/* The lower Cholesky factor, in qp->matrix, of M_ij - M_ir - M_rj + M_rr over the tasks `free`, whose row and column r vanish, with
   the least ridge that makes it one. */
static int factorise(Program *qp, const int *free, int size, int r)
{
    const double *cross = row(qp, free[r]), corner = cross[free[r]];
    double ridge = 4 * DBL_EPSILON, flat = TINY;
    int failed = 1;
    for (int tries = 0; failed && tries < TRIES; tries++, ridge *= 100.0, flat *= 100.0) {
        for (int j = 0; j < size; j++) {
            const double *column = row(qp, free[j]), shift = cross[free[j]] - corner;
            double *reduced = qp->matrix + (ptrdiff_t)j * size;
            for (int i = j; i < size; i++)
                reduced[i] = column[free[i]] - cross[free[i]] - shift;
            reduced[j] += ridge * (column[free[j]] + corner) + flat;
        }
        dpotrf("L", &size, qp->matrix, &size, &failed);
    }
    return failed;
}

/* The maximiser over the affine hull of a face, shape (size,): the tasks that are not `free` keep their weights in w. The weight of
   one free task r, that of least curvature, is eliminated. */
static int face_optimum(Program *qp, const double *w, const int *free, int size, double *solution)
{
    const int one = 1;
    int r = 0, failed;
    qp->pivots++;
    copy(qp->gain, qp->c, qp->n);
    copy(qp->fixed, w, qp->n);
    for (int i = 0; i < size; i++) {
        qp->fixed[free[i]] = 0.0;
        if (row(qp, free[i])[free[i]] < row(qp, free[r])[free[r]])
            r = i;
    }
    for (int j = 0; j < qp->n; j++)
        for (int i = 0; qp->fixed[j] != 0.0 && i < size; i++)
            qp->gain[free[i]] -= qp->fixed[j] * row(qp, j)[free[i]];
    if (factorise(qp, free, size, r))
        return MINIMAX_NOT_A_NUMBER;
    const double *cross = row(qp, free[r]), rest = qp->total - sum(qp->fixed, qp->n);
    for (int i = 0; i < size; i++)
        solution[i] = qp->gain[free[i]] - (qp->gain[free[r]] + rest * (cross[free[i]] - cross[free[r]]));
    dpotrs("L", &size, &one, qp->matrix, &size, solution, &size, &failed);
    solution[r] = 0.0;
    solution[r] = rest - sum(solution, size);
    return isfinite(solution[r]) ? MINIMAX_OK : MINIMAX_NOT_A_NUMBER;
}

/* The objective at qp->jump less that at qp->w, which differ on the free tasks, expanded at w: no cancellation. */
static double gain_of_jump(Program *qp)
{
    double mean = 0.0, first = 0.0, second = 0.0;
    minimax_find_slopes(qp, qp->w, qp->slopes);
    for (int i = 0; i < qp->n_free; i++)
        mean += qp->slopes[qp->free[i]] / qp->n_free;
    for (int i = 0; i < qp->n_free; i++) {
        int a = qp->free[i];
        double step = qp->jump[a] - qp->w[a];
        first += (qp->slopes[a] - mean) * step;
        for (int j = 0; step != 0.0 && j < qp->n_free; j++)
            second += step * row(qp, a)[qp->free[j]] * (qp->jump[qp->free[j]] - qp->w[qp->free[j]]);
    }
    return first - 0.5 * second;
}

/* From the face optimum qp->whole: all that leave go to their bounds at once, until none does: few rounds, and nearly always uphill.
   The point in qp->jump, its free tasks in qp->kept; their number, -1 where the others cannot add up, -2 where NaN turns up. */
static int drop(Program *qp)
{
    int n_kept = qp->n_free;
    copy(qp->jump, qp->w, qp->n);
    copy(qp->best, qp->whole, qp->n_free);
    memcpy(qp->kept, qp->free, (size_t)n_kept * sizeof(int));
    for (;;) {
        int left = 0;
        double room = 0.0, free_weight = 0.0;
        for (int i = 0; i < n_kept; i++) {
            int k = qp->kept[i];
            double v = qp->best[i], most = cap(qp, k);
            qp->jump[k] = v > 0.0 ? fmin(v, most) : 0.0;
            if (v > 0.0 && v < most) {
                qp->kept[left++] = k;
                room += most;
                free_weight += v;
            }
        }
        if (left == n_kept)
            return left;
        n_kept = left;
        double rest = qp->total - sum(qp->jump, qp->n) + free_weight;
        if (n_kept == 0)
            return fabs(rest) <= NEAR ? 0 : -1;
        if (!(rest > 0.0 && rest < room))
            return -1;
        if (face_optimum(qp, qp->jump, qp->kept, n_kept, qp->best))
            return -2;
    }
}

/* Uphill for certain: from w towards the whole face's optimum, as far as the bounds allow; at least one task is no longer free. */
static int move(Program *qp)
{
    double shortest = INFINITY;
    int left = 0;
    for (int i = 0; i < qp->n_free; i++) {
        int k = qp->free[i];
        double v = qp->w[k], whole = qp->whole[i];
        qp->best[i] = INFINITY; /* the room of those that stay */
        if (!(whole > 0.0 && whole < cap(qp, k))) {
            qp->best[i] = fabs((whole > 0.0 ? cap(qp, k) : 0.0) - v) / fmax(fabs(whole - v), DBL_MIN);
            shortest = fmin(shortest, qp->best[i]);
        }
    }
    for (int i = 0; i < qp->n_free; i++) {
        int k = qp->free[i];
        double whole = qp->whole[i];
        if (qp->best[i] == shortest) {
            qp->w[k] = whole > 0.0 ? cap(qp, k) : 0.0;
            continue;
        }
        qp->w[k] += shortest * (whole - qp->w[k]);
        qp->free[left++] = k;
    }
    if (left == qp->n_free)
        return MINIMAX_NOT_A_NUMBER;
    qp->n_free = left;
    return MINIMAX_OK;
}

int minimax_settle(Program *qp)
{
    while (qp->n_free) {
        int inside = 1, entrants = 0, moved = 0;
        if (face_optimum(qp, qp->w, qp->free, qp->n_free, qp->whole))
            return MINIMAX_NOT_A_NUMBER;
        for (int i = 0; i < qp->n_free; i++)
            inside &= qp->whole[i] > 0.0 && qp->whole[i] < cap(qp, qp->free[i]);
        if (inside) {
            for (int i = 0; i < qp->n_free; i++)
                qp->w[qp->free[i]] = qp->whole[i];
            return MINIMAX_OK;
        }
        int n_kept = drop(qp);
        if (n_kept == -2)
            return MINIMAX_NOT_A_NUMBER;
        for (int i = 0; i < qp->n_free; i++) {
            int k = qp->free[i], entrant = qp->w[k] == 0.0 || qp->w[k] == cap(qp, k);
            entrants |= entrant;
            moved |= entrant && qp->jump[k] != qp->w[k];
        }
        if (n_kept >= 0 && (moved || !entrants) && gain_of_jump(qp) > 0.0) {
            copy(qp->w, qp->jump, qp->n);
            memcpy(qp->free, qp->kept, (size_t)n_kept * sizeof(int));
            qp->n_free = n_kept;
            return MINIMAX_OK;
        }
        if (move(qp))
            return MINIMAX_NOT_A_NUMBER;
    }
    return MINIMAX_OK;
}
