/* min_x max_k <g_k, x> + c_k, over a box: the interior point of minimax_opt.solvers.interior_point for affine tasks and the simplex. */
#ifndef MINIMAX_LINEAR_PROGRAM_H
#define MINIMAX_LINEAR_PROGRAM_H

#include <stddef.h>

/* A change of all unknowns, and the right-hand sides that it came from. */
struct lp_step {
    double *x, *slack, *multiplier, *push, *right, level, right_level;
};

/* The problem, one primal-dual point of it, and what is known there. Pairs are those of the tasks, (u, s), then those of the finite bounds,
 * row j of which is slope_j x[index_j] + bound_j <= 0. */
struct lp {
    ptrdiff_t n, n_tasks, n_bounds, n_pairs;
    const double *rows, *offset, *lower, *upper; /* G (K, n), c (K), the box (n each; NULL: none) */
    double *slope, *bound;
    int *index;
    double *x, *slack, *multiplier, level;               /* the iterate */
    double *losses, *gradient, *residual, value;         /* f(x), and the residuals of the conditions on x and on the pairs */
    double sum_residual, complementarity, bounds_gap;    /* 1 - sum u, and the products of all pairs and of the bounds' */
    double *d, *mean, *matrix, *diagonal, *block, d_sum; /* multiplier^-1 slack, the rows' d-weighted mean, the factor */
    double *target, *work;                               /* (n_pairs) and (n) */
    struct lp_step first, second, *step;
    int factorisations;
};

/* linear_program_kkt.c: the conditions at the iterate and Newton steps from one factor */
size_t lp_block(const struct lp *p); /* length of p->block */
void lp_evaluate(struct lp *p);
void lp_linearise(struct lp *p);
int lp_factor(struct lp *p);
double lp_decrement(const struct lp *p);
void lp_newton(struct lp *p, struct lp_step *step);
void lp_refine(struct lp *p, struct lp_step *step);
double lp_dot(ptrdiff_t count, const double *a, const double *b);

#endif
