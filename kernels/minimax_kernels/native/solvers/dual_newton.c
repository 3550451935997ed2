/* Newton's method on the dual function g(w) = min_x <w, f(x)> of convex quadratics over W: the iteration of
   minimax_opt/solvers/dual_newton.py, whose names are used here, on the quadratics as given. Losses in that form cancel where they are
   small beside c: the caller evaluates its own at the x found here, and proves what it has to prove there. */
#include "dual_newton.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "simplex_qp.h"

enum { RIDGES = 5, SHORTER = 30 };

static const double RIDGE[RIDGES] = {1e-13, 1e-11, 1e-9, 1e-7, 1e-5}; /* as in dual_newton.py */

typedef struct {
    double *x, *A, *f; /* A (K, n): the gradients */
    double value;      /* max_w <w, f> */
} Iterate;

typedef struct {
    const MinimaxQuadratics *tasks;
    Iterate at, next;
    double dual, offset, rounding; /* g(w); max_k |c_k|; what a loss may be wrong by */
    double *w, *trial, *best, *factor, *new_factor, *hessian, *white, *M, *step, *workspace;
    int factorisations;
} Solve;

static double dot(const double *a, const double *b, int n)
{
    double total = 0.0;
    for (int i = 0; i < n; i++)
        total += a[i] * b[i];
    return total;
}

static void add(double *to, double factor, const double *a, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        to[i] += factor * a[i];
}

/* max_{w in W} <w, f>: from the lower bounds, upwards from the largest loss; `room` (K,) is a workspace. */
static double worst_case(const MinimaxQuadratics *tasks, const double *f, double *room)
{
    int n_tasks = tasks->n_tasks;
    double value = 0.0, rest = 1.0;
    for (int k = 0; k < n_tasks; k++) {
        double least = tasks->lower ? tasks->lower[k] : 0.0;
        room[k] = tasks->upper ? tasks->upper[k] - least : 1.0;
        value += least * f[k];
        rest -= least;
    }
    for (int turn = 0; turn < n_tasks && rest > 0.0; turn++) {
        int top = -1;
        for (int k = 0; k < n_tasks; k++)
            if (room[k] > 0.0 && (top < 0 || f[k] > f[top]))
                top = k;
        if (top < 0)
            break;
        double share = fmin(room[top], rest);
        value += share * f[top];
        rest -= share;
        room[top] = 0.0;
    }
    return value;
}

/* Losses and gradients at iterate->x. */
static void evaluate(const Solve *solve, Iterate *iterate)
{
    const MinimaxQuadratics *tasks = solve->tasks;
    const int n = tasks->n_variables, all = tasks->n_tasks * n, one = 1;
    const double plus = 1.0, zero = 0.0;
    memcpy(iterate->A, tasks->q, (size_t)all * sizeof(double));
    dgemv("T", &n, &all, &plus, tasks->P, &n, iterate->x, &one, &plus, iterate->A, &one);
    if (tasks->Q)
        dgemv("T", &n, &n, &plus, tasks->Q, &n, iterate->x, &one, &zero, solve->step, &one);
    for (int k = 0; k < tasks->n_tasks; k++) {
        double *gradient = iterate->A + (ptrdiff_t)k * n;
        if (tasks->Q)
            add(gradient, 1.0, solve->step, n);
        iterate->f[k] = 0.5 * (dot(gradient, iterate->x, n) + dot(tasks->q + (ptrdiff_t)k * n, iterate->x, n)) + tasks->c[k];
    }
    iterate->value = worst_case(tasks, iterate->f, solve->workspace);
}

/* The lower Cholesky factor of H(w) plus a ridge (none for try 0) in solve->new_factor; whether there is one. */
static int factorise(Solve *solve, int try)
{
    const int n = solve->tasks->n_variables;
    double *H = solve->hessian, largest = 0.0;
    int failed;
    for (int i = 0; try && i < n; i++)
        largest = fmax(largest, H[(ptrdiff_t)i * (n + 1)]);
    memcpy(solve->new_factor, H, (size_t)n * n * sizeof(double));
    for (int i = 0; try && i < n; i++)
        solve->new_factor[(ptrdiff_t)i * (n + 1)] += RIDGE[try - 1] * (H[(ptrdiff_t)i * (n + 1)] + DBL_EPSILON * (largest > 0.0 ? largest : 1.0));
    solve->factorisations++;
    dpotrf("L", &n, solve->new_factor, &n, &failed);
    return !failed;
}

/* solve->next is at x(w), by one Newton step of <w, f> from solve->at; g(w), or -inf where there is none. */
static double respond(Solve *solve, const double *w)
{
    const MinimaxQuadratics *tasks = solve->tasks;
    const int n = tasks->n_variables, n_tasks = tasks->n_tasks, one = 1;
    const double most = dot(w, solve->at.f, n_tasks) + 1e4 * solve->rounding;
    int info;
    memset(solve->hessian, 0, (size_t)n * n * sizeof(double));
    if (tasks->Q)
        add(solve->hessian, 1.0, tasks->Q, (ptrdiff_t)n * n);
    for (int k = 0; k < n_tasks; k++)
        if (w[k] != 0.0)
            add(solve->hessian, w[k], tasks->P + (ptrdiff_t)k * n * n, (ptrdiff_t)n * n);
    for (int try = 0; try <= RIDGES; try++) {
        if (!factorise(solve, try))
            continue;
        memset(solve->step, 0, (size_t)n * sizeof(double));
        for (int k = 0; k < n_tasks; k++)
            add(solve->step, -w[k], solve->at.A + (ptrdiff_t)k * n, n);
        dpotrs("L", &n, &one, solve->new_factor, &n, solve->step, &n, &info);
        for (int i = 0; i < n; i++)
            solve->next.x[i] = solve->at.x[i] + solve->step[i];
        evaluate(solve, &solve->next);
        double dual = dot(w, solve->next.f, n_tasks);
        if (dual <= most) /* else H(w) is singular to rounding, and the step is noise */
            return dual;
    }
    return -INFINITY;
}

/* Go to solve->next, or only take its factor. */
static void accept(Solve *solve, const double *w, double dual, int move)
{
    double *factor = solve->factor;
    solve->factor = solve->new_factor;
    solve->new_factor = factor;
    solve->dual = dual;
    if (w != solve->w)
        memcpy(solve->w, w, (size_t)solve->tasks->n_tasks * sizeof(double));
    if (move) {
        Iterate old = solve->at;
        solve->at = solve->next;
        solve->next = old;
        solve->rounding = 8 * DBL_EPSILON * fmax(solve->offset, fabs(solve->at.value));
    }
}

/* solve->best: the weights that maximise the quadratic model of g at (x, w); the model's value there. */
static double best_weights(Solve *solve)
{
    const MinimaxQuadratics *tasks = solve->tasks;
    const int n = tasks->n_variables, n_tasks = tasks->n_tasks;
    const double plus = 1.0, zero = 0.0;
    double value;
    int pivots;
    memcpy(solve->white, solve->at.A, (size_t)n_tasks * n * sizeof(double));
    dtrsm("L", "L", "N", "N", &n, &n_tasks, &plus, solve->factor, &n, solve->white, &n);
    dsyrk("L", "T", &n_tasks, &n, &plus, solve->white, &n, &zero, solve->M, &n_tasks);
    for (int j = 0; j < n_tasks; j++)
        for (int i = 0; i < j; i++)
            solve->M[i + (ptrdiff_t)j * n_tasks] = solve->M[j + (ptrdiff_t)i * n_tasks];
    memcpy(solve->best, solve->w, (size_t)n_tasks * sizeof(double));
    minimax_simplex_qp(n_tasks, solve->M, solve->at.f, tasks->lower, tasks->upper, solve->best, solve->workspace, &value, &pivots);
    solve->factorisations += pivots;
    return value;
}

/* One Newton step of g, shortened until g rises; whether it did. */
static int rise(Solve *solve)
{
    const int n_tasks = solve->tasks->n_tasks;
    double expected = best_weights(solve) - solve->dual, length = 1.0, slope = 0.0;
    if (!isfinite(expected))
        return 0;
    for (int k = 0; k < n_tasks; k++) {
        solve->best[k] -= solve->w[k]; /* the direction */
        slope += solve->at.f[k] * solve->best[k];
    }
    for (int tries = 0; tries < SHORTER; tries++) {
        for (int k = 0; k < n_tasks; k++)
            solve->trial[k] = solve->w[k] + length * solve->best[k];
        double dual = respond(solve, solve->trial);
        if (dual >= solve->dual + 1e-4 * length * expected - solve->rounding) {
            int better = expected > solve->rounding || solve->next.value < solve->at.value;
            if (better)
                accept(solve, solve->trial, dual, 1);
            return better;
        }
        double end = dot(solve->next.f, solve->best, n_tasks), secant = end < 0.0 && slope > 0.0 ? slope / (slope - end) : 0.5;
        length *= fmin(fmax(secant, 0.1), 0.7);
    }
    return 0;
}

static double *allot(Solve *solve, double *x, double *w)
{
    const size_t n = (size_t)solve->tasks->n_variables, n_tasks = (size_t)solve->tasks->n_tasks, qp = minimax_simplex_qp_size(solve->tasks->n_tasks);
    const size_t sizes[] = {n, n, n, n_tasks * n, n_tasks * n, n_tasks * n, n_tasks, n_tasks, n_tasks, n_tasks, n_tasks,
                            n * n, n * n, n * n, n_tasks * n_tasks, qp};
    double **parts[] = {&solve->at.x, &solve->next.x, &solve->step, &solve->at.A, &solve->next.A, &solve->white, &solve->at.f, &solve->next.f,
                        &solve->w, &solve->trial, &solve->best, &solve->factor, &solve->new_factor, &solve->hessian, &solve->M, &solve->workspace};
    size_t total = 0, count = sizeof(sizes) / sizeof(*sizes);
    for (size_t i = 0; i < count; i++)
        total += sizes[i];
    double *memory = malloc(total * sizeof(double)), *part = memory;
    for (size_t i = 0; memory && i < count; part += sizes[i++])
        *parts[i] = part;
    if (memory) {
        memcpy(solve->at.x, x, n * sizeof(double));
        memcpy(solve->w, w, n_tasks * sizeof(double));
    }
    return memory;
}

int minimax_dual_newton(const MinimaxQuadratics *tasks, double tol, double atol, int limit, double *x, double *w, int *steps,
                        int *factorisations)
{
    Solve solve = {.tasks = tasks};
    double *memory = allot(&solve, x, w);
    *steps = *factorisations = 0;
    if (!memory)
        return MINIMAX_NO_MEMORY;
    evaluate(&solve, &solve.at);
    for (int k = 0; k < tasks->n_tasks; k++)
        solve.offset = fmax(solve.offset, fabs(tasks->c[k]));
    solve.rounding = 8 * DBL_EPSILON * fmax(solve.offset, fabs(solve.at.value));
    double dual = respond(&solve, solve.w);
    int on = isfinite(dual);
    if (on)
        accept(&solve, solve.w, dual, !(solve.next.value >= solve.at.value)); /* of a warm start only the factor: x0 may be better */
    for (*steps = on; on && *steps < limit; ++*steps) {
        double gap = solve.at.value - solve.dual;
        if (gap <= fmax(tol * fabs(solve.at.value), atol) || !rise(&solve))
            break;
    }
    *factorisations = solve.factorisations;
    memcpy(x, solve.at.x, (size_t)tasks->n_variables * sizeof(double));
    memcpy(w, solve.w, (size_t)tasks->n_tasks * sizeof(double));
    free(memory);
    return MINIMAX_OK;
}
