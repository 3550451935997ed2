/* The optimality conditions of min_x max_k <g_k, x> + c_k over a box, linearised and eliminated down to one n x n matrix: what
 * minimax_opt/solvers/interior_point_kkt.py derives, for affine losses and the simplex. */
#include <math.h>

#include "blas.h"
#include "linear_program.h"

#define PIVOT 1e-14 /* first relative shift of the diagonal; refinement takes its effect back where the system is consistent */
#define LAST_SHIFT 1e-2
#define BLOCK 40000 /* numbers of a block of rows, which fit in the cache */

static const int ONE = 1;
static const double UNIT = 1.0, ZERO = 0.0;

double lp_dot(ptrdiff_t count, const double *a, const double *b)
{
    int length = (int)count;
    return ddot(&length, a, &ONE, b, &ONE);
}

/* out = G v */
static void product(const struct lp *p, const double *v, double *out)
{
    int n = (int)p->n, n_tasks = (int)p->n_tasks;
    dgemv("T", &n, &n_tasks, &UNIT, p->rows, &n, v, &ONE, &ZERO, out, &ONE);
}

/* out = G'v + the bounds' slopes times what follows in v */
static void combine(const struct lp *p, const double *v, double *out)
{
    int n = (int)p->n, n_tasks = (int)p->n_tasks;
    dgemv("N", &n, &n_tasks, &UNIT, p->rows, &n, v, &ONE, &ZERO, out, &ONE);
    for (ptrdiff_t j = 0; j < p->n_bounds; j++)
        out[p->index[j]] += p->slope[j] * v[p->n_tasks + j];
}

/* The losses at x, and the largest. */
void lp_evaluate(struct lp *p)
{
    product(p, p->x, p->losses);
    p->value = -INFINITY;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++) {
        p->losses[k] += p->offset[k];
        if (!(p->losses[k] <= p->value)) /* so that nan is kept */
            p->value = p->losses[k];
    }
}

/* The residuals at the iterate, whose losses are evaluated. */
void lp_linearise(struct lp *p)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++) {
        sum += p->slack[k];
        p->residual[k] = p->losses[k] + (p->multiplier[k] - p->level);
    }
    for (ptrdiff_t j = 0; j < p->n_bounds; j++) {
        double g = p->slope[j] * p->x[p->index[j]] + p->bound[j];
        p->residual[p->n_tasks + j] = g + p->multiplier[p->n_tasks + j];
    }
    p->sum_residual = 1.0 - sum;
    p->bounds_gap = p->n_bounds ? lp_dot(p->n_bounds, p->slack + p->n_tasks, p->multiplier + p->n_tasks) : 0.0;
    p->complementarity = lp_dot(p->n_tasks, p->slack, p->multiplier) + p->bounds_gap;
    combine(p, p->slack, p->gradient);
}

/* Rows of a block. */
static ptrdiff_t rows_of_block(const struct lp *p)
{
    ptrdiff_t most = BLOCK / p->n > 1 ? BLOCK / p->n : 1;
    return most < p->n_tasks ? most : p->n_tasks;
}

size_t lp_block(const struct lp *p)
{
    return (size_t)rows_of_block(p) * (size_t)p->n;
}

/* The lower half of sum_k d_k (g_k - mean)(g_k - mean)' plus the bounds' diagonal. The rows are centred before they are multiplied: free of
 * cancellation. */
static void build(struct lp *p)
{
    ptrdiff_t n = p->n, most = rows_of_block(p);
    int order = (int)n;
    for (ptrdiff_t first = 0; first < p->n_tasks; first += most) {
        int count = (int)(p->n_tasks - first < most ? p->n_tasks - first : most);
        for (ptrdiff_t k = 0; k < count; k++) {
            const double *row = p->rows + (first + k) * n, root = sqrt(p->d[first + k]);
            double *scaled = p->block + k * n;
            for (ptrdiff_t i = 0; i < n; i++)
                scaled[i] = root * (row[i] - p->mean[i]);
        }
        dsyrk("L", "N", &order, &count, &UNIT, p->block, &order, first ? &UNIT : &ZERO, p->matrix, &order);
    }
    for (ptrdiff_t j = 0; j < p->n_bounds; j++)
        p->matrix[p->index[j] * (n + 1)] += p->d[p->n_tasks + j];
}

/* Factor the n x n matrix, its diagonal raised as little as needed; whether that worked: not where numbers are not finite. */
int lp_factor(struct lp *p)
{
    int n = (int)p->n, info = 1;
    p->d_sum = 0.0;
    for (ptrdiff_t k = 0; k < p->n_pairs; k++)
        p->d[k] = p->slack[k] / p->multiplier[k];
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        p->d_sum += p->d[k];
    double inverse = 1.0 / p->d_sum;
    int n_tasks = (int)p->n_tasks;
    dgemv("N", &n, &n_tasks, &inverse, p->rows, &n, p->d, &ONE, &ZERO, p->mean, &ONE);
    for (double shift = PIVOT; info && shift < LAST_SHIFT; shift *= 100) {
        double largest = 0.0;
        build(p);
        for (ptrdiff_t i = 0; i < p->n; i++) {
            p->diagonal[i] = p->matrix[i * (p->n + 1)];
            if (!(p->diagonal[i] <= largest))
                largest = p->diagonal[i];
        }
        if (!isfinite(largest))
            return 0;
        for (ptrdiff_t i = 0; i < p->n; i++) {
            p->diagonal[i] = fmax(p->diagonal[i], 1e-30 * (largest > 0 ? largest : 1.0));
            p->matrix[i * (p->n + 1)] += shift * p->diagonal[i];
        }
        dpotrf("L", &n, p->matrix, &n, &info);
    }
    p->factorisations++;
    return info == 0;
}

/* v = M^-1 v */
static void solve(const struct lp *p, double *v)
{
    int n = (int)p->n;
    dtrsv("L", "N", "N", &n, p->matrix, &n, v, &ONE);
    dtrsv("L", "T", "N", &n, p->matrix, &n, v, &ONE);
}

/* Square of the gradient's norm in the matrix's inverse. */
double lp_decrement(const struct lp *p)
{
    int n = (int)p->n;
    for (ptrdiff_t i = 0; i < p->n; i++)
        p->work[i] = p->gradient[i];
    dtrsv("L", "N", "N", &n, p->matrix, &n, p->work, &ONE);
    return lp_dot(p->n, p->work, p->work);
}

/* The changes of all unknowns that follow from that of x. */
static void complete(const struct lp *p, struct lp_step *step)
{
    double level = lp_dot(p->n, p->mean, step->x);
    product(p, step->x, step->slack);
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        step->slack[k] = p->d[k] * ((step->slack[k] - level) + step->right[k]);
    for (ptrdiff_t j = 0, k = p->n_tasks; j < p->n_bounds; j++, k++)
        step->slack[k] = p->d[k] * (step->right[k] + p->slope[j] * step->x[p->index[j]]);
    for (ptrdiff_t k = 0; k < p->n_pairs; k++)
        step->multiplier[k] = step->push[k] - step->slack[k] / p->d[k];
    step->level = step->right_level + level;
}

/* The Newton step: all linearised residuals vanish, the products of the pairs change by p->target. */
void lp_newton(struct lp *p, struct lp_step *step)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < p->n_pairs; k++) {
        step->push[k] = p->target[k] / p->slack[k];
        step->right[k] = p->residual[k] + step->push[k];
    }
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        sum += p->d[k] * step->right[k];
    step->right_level = (sum - p->sum_residual) / p->d_sum;
    for (ptrdiff_t k = 0; k < p->n_tasks; k++)
        step->right[k] -= step->right_level;
    for (ptrdiff_t k = 0; k < p->n_pairs; k++)
        step->slack[k] = p->d[k] * step->right[k];
    combine(p, step->slack, step->x);
    for (ptrdiff_t i = 0; i < p->n; i++)
        step->x[i] = -(step->x[i] + p->gradient[i]);
    solve(p, step->x);
    complete(p, step);
}

/* What rounding left of the condition on x taken to zero: d spans many decades. */
void lp_refine(struct lp *p, struct lp_step *step)
{
    combine(p, step->slack, p->work);
    for (ptrdiff_t i = 0; i < p->n; i++)
        p->work[i] += p->gradient[i];
    solve(p, p->work);
    for (ptrdiff_t i = 0; i < p->n; i++)
        step->x[i] -= p->work[i];
    complete(p, step);
}
