/* max_w <c, w> - w'Mw/2 over lower <= w <= upper, sum_k w_k = 1, for M positive semidefinite: see simplex_qp.c. */
#ifndef MINIMAX_SIMPLEX_QP_H
#define MINIMAX_SIMPLEX_QP_H

#include <stddef.h>

enum { MINIMAX_OK = 0, MINIMAX_NO_MEMORY = -1, MINIMAX_NOT_A_NUMBER = -2 };

/* Doubles that minimax_simplex_qp needs as a workspace. */
size_t minimax_simplex_qp_size(int n_tasks);

/* M (K, K) symmetric; lower and upper (K,) or NULL, where they never bind; w (K,): the start (zeros: none), then the solution.
   value: <c, w> - w'Mw/2. pivots: faces whose optimum was computed. Everything is NaN with MINIMAX_NOT_A_NUMBER. */
int minimax_simplex_qp(int n_tasks, const double *M, const double *c, const double *lower, const double *upper, double *w,
                       double *workspace, double *value, int *pivots);

#endif
