/* Included by rows.c once for each type, after numbers.h. */

typedef struct {
    double top, sum, shift; /* the largest entry, the sum of exp(x - top), and that of x - top if it was asked for */
} NAME(summary);

/* One pass: each block is read for its largest entry, and again, from the first-level cache, for the sums below it. */
static INLINE NAME(summary) NAME(summarize)(const REAL *x, int64_t n, int shifts)
{
    NAME(summary) s = {-INFINITY, 0.0, 0.0};
    for (int64_t start = 0; start < n; start += BLOCK) {
        const REAL *block = x + start;
        int64_t count = n - start < BLOCK ? n - start : BLOCK;
        REAL high = NAME(largest)(block, count), sum;
        if (high > s.top) {
            s.sum *= NAME(exponential)((REAL)(s.top - high));
            if (shifts && start > 0)
                s.shift += (double)start * (s.top - high);
            s.top = high;
        }
        REAL base = s.top > -INFINITY ? (REAL)s.top : (REAL)0;
        SUM(sum, count, NAME(exponential)(block[i] - base));
        s.sum += sum;
        if (shifts) {
            SUM(sum, count, block[i] - base);
            s.shift += sum;
        }
    }
    return s;
}

/* factor exp(x - base) - share, in place or elsewhere. */
static INLINE void NAME(spread)(const REAL *x, REAL *out, int64_t n, REAL base, REAL factor, REAL share)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        out[i] = factor * NAME(exponential)(x[i] - base) - share;
}

/* Losses lse - (1 - e) z_y - e mean(z) + c lse^2, and lse in two parts: the largest entry and what is to be added. Where `out` is given, the
 * derivative of each row's loss, written while the row is in the cache; `out` may be the logits. A bias is added to the logits, in place. */
static CLONES void NAME(losses)(
    const cross_entropy_rows *p, double z_loss, REAL *losses, REAL *tops, REAL *log_sums, REAL *out, int64_t out_stride)
{
    for (int64_t row = 0; row < p->rows; row++) {
        const REAL *x = (const REAL *)p->logits + row * p->stride, *bias = p->bias;
        int64_t label = p->labels[row], classes = p->classes;
        losses[row] = tops[row] = log_sums[row] = 0;
        if (label < 0) {
            if (out)
                memset(out + row * out_stride, 0, (size_t)classes * sizeof *out);
            continue;
        }
        if (bias) {
            REAL *z = (REAL *)x;
            INDEPENDENT
            for (int64_t i = 0; i < classes; i++)
                z[i] += bias[i];
        }
        NAME(summary) s = p->smoothing > 0.0 ? NAME(summarize)(x, classes, 1) : NAME(summarize)(x, classes, 0);
        double log_sum = log(s.sum), lse = s.top + log_sum, mean = s.shift / (double)classes;
        losses[row] = (REAL)(log_sum - (1.0 - p->smoothing) * (x[label] - s.top) - p->smoothing * mean + z_loss * lse * lse);
        tops[row] = (REAL)s.top;
        log_sums[row] = (REAL)log_sum;
        if (out) {
            REAL *g = out + row * out_stride;
            NAME(spread)(x, g, classes, (REAL)s.top, (REAL)((1.0 + 2.0 * z_loss * lse) / s.sum), (REAL)(p->smoothing / classes));
            g[label] -= (REAL)(1.0 - p->smoothing);
        }
    }
}

/* factor_i exp(z - base_i) - weight_i ((1 - e) 1(v = y) + e / V); rows where both are 0 are not read. The bias as above. */
static CLONES void NAME(gradients)(
    const cross_entropy_rows *p, const REAL *bases, const REAL *factors, const REAL *weights, REAL *out, int64_t out_stride)
{
    for (int64_t row = 0; row < p->rows; row++) {
        const REAL *x = (const REAL *)p->logits + row * p->stride, *bias = p->bias;
        REAL *g = out + row * out_stride;
        int64_t label = p->labels[row], classes = p->classes;
        if (label < 0 || (factors[row] == 0 && weights[row] == 0)) {
            memset(g, 0, (size_t)classes * sizeof *g);
            continue;
        }
        if (bias) {
            REAL *z = (REAL *)x;
            INDEPENDENT
            for (int64_t i = 0; i < classes; i++)
                z[i] += bias[i];
        }
        NAME(spread)(x, g, classes, bases[row], factors[row], (REAL)(p->smoothing / classes) * weights[row]);
        g[label] -= (REAL)(1.0 - p->smoothing) * weights[row];
    }
}

/* The target of a patch is scale (target - mean). */
static INLINE void NAME(normal)(const patch_rows *p, const REAL *target, REAL *mean, REAL *scale)
{
    REAL sum;
    *mean = 0;
    *scale = 1;
    if (p->normalize) {
        SUM(sum, p->length, target[i]);
        REAL centre = *mean = sum / (REAL)p->length;
        SUM(sum, p->length, (target[i] - centre) * (target[i] - centre));
        *scale = (REAL)(1.0 / sqrt(sum / (double)(p->length - 1) + p->epsilon));
    }
}

static CLONES void NAME(patch_losses)(const patch_rows *p, REAL *losses)
{
    const REAL beta = (REAL)p->beta, half = (REAL)(0.5 / p->beta), shift = (REAL)(0.5 * p->beta);
    for (int64_t row = 0; row < p->rows; row++) {
        const REAL *x = (const REAL *)p->pred + row * p->pred_stride, *t = (const REAL *)p->target + row * p->target_stride;
        REAL mean, scale, sum = 0;
        if (p->tasks[row] >= 0) {
            NAME(normal)(p, t, &mean, &scale);
#define DIFFERENCE (x[i] - (t[i] - mean) * scale)
            if (p->kind == L2)
                SUM(sum, p->length, DIFFERENCE * DIFFERENCE);
            else if (p->kind == L1)
                SUM(sum, p->length, MAGNITUDE(DIFFERENCE));
            else
                SUM(sum, p->length, MAGNITUDE(DIFFERENCE) < beta ? DIFFERENCE * DIFFERENCE * half : MAGNITUDE(DIFFERENCE) - shift);
        }
        losses[row] = sum / (REAL)p->length;
    }
}

/* weight_i / P times the slope of the loss at each entry; rows of weight 0 are not read. */
static CLONES void NAME(patch_gradients)(const patch_rows *p, const REAL *weights, REAL *out)
{
    for (int64_t row = 0; row < p->rows; row++) {
        const REAL *x = (const REAL *)p->pred + row * p->pred_stride, *t = (const REAL *)p->target + row * p->target_stride;
        REAL *restrict g = out + row * p->length, mean, scale, w = weights[row] / (REAL)p->length;
        if (p->tasks[row] < 0 || weights[row] == 0) {
            memset(g, 0, (size_t)p->length * sizeof *g);
            continue;
        }
        NAME(normal)(p, t, &mean, &scale);
        if (p->kind == L2)
            for (int64_t i = 0; i < p->length; i++)
                g[i] = (REAL)2 * w * DIFFERENCE;
        else if (p->kind == L1)
            for (int64_t i = 0; i < p->length; i++) {
                REAL d = DIFFERENCE;
                g[i] = w * (d > 0 ? 1 : d < 0 ? -1 : d); /* nan stays */
            }
        else {
            const REAL steep = (REAL)(1.0 / p->beta);
            for (int64_t i = 0; i < p->length; i++) {
                REAL d = DIFFERENCE * steep;
                g[i] = w * (d > 1 ? 1 : d < -1 ? -1 : d);
            }
        }
#undef DIFFERENCE
    }
}
