/* Newton's method on the dual function of K convex quadratics: see dual_newton.c. */
#ifndef MINIMAX_DUAL_NEWTON_H
#define MINIMAX_DUAL_NEWTON_H

/* f_k(x) = x'(P_k + Q)x / 2 + q_k'x + c_k for k < n_tasks, W = {lower <= w <= upper, sum_k w_k = 1}. */
typedef struct {
    int n_tasks, n_variables;
    const double *P, *q, *c; /* (K, n, n), (K, n), (K,) */
    const double *Q;         /* (n, n), or NULL: zero */
    const double *lower, *upper; /* (K,), or NULL where they never bind */
} MinimaxQuadratics;

/* From (x, w), until max_w <w, f(x)> - g(w) <= max(tol |max_w <w, f(x)>|, atol), until rounding lets it rise no more, or for `limit`
   steps: x (n,) and w (K,) are overwritten. factorisations: those of every size. */
int minimax_dual_newton(const MinimaxQuadratics *tasks, double tol, double atol, int limit, double *x, double *w, int *steps,
                        int *factorisations);

#endif
