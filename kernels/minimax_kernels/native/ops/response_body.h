/* Included by response.c once for each type, after numbers.h. */

/* The sum of exp((x - base) / scale), times the prior where there is one; the terms go to `out`, which may be x. */
static INLINE double NAME(shares)(const REAL *x, const REAL *prior, REAL *out, int64_t n, REAL base, REAL scale)
{
    double total = 0.0;
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t count = n - start < BLOCK ? n - start : BLOCK;
        REAL *terms = out + start, sum;
        INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            terms[i] = NAME(exponential)((x[start + i] - base) / scale);
        if (prior) {
            INDEPENDENT
            for (int64_t i = 0; i < count; i++)
                terms[i] *= prior[start + i];
        }
        SUM(sum, count, terms[i]);
        total += sum;
    }
    return total;
}

/* The same as the smoothing goes to 0: the prior of the entries at the largest. */
static INLINE double NAME(ties)(const REAL *x, const REAL *prior, REAL *out, int64_t n, REAL base)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        REAL gap = x[i] - base;
        out[i] = gap == 0 ? (prior ? prior[i] : (REAL)1) : gap < 0 ? (REAL)0 : gap; /* nan stays */
        total += out[i];
    }
    return total;
}

/* Weights of one row, and its smoothed maximum. The prior adds up to `mass`. */
static INLINE double NAME(respond)(const REAL *losses, const REAL *prior, double mass, REAL smoothing, REAL *out, int64_t n)
{
    const REAL *x = losses;
    if (prior) { /* what it leaves out is not read again */
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            out[i] = prior[i] > 0 ? losses[i] : -(REAL)INFINITY;
        x = out;
    }
    REAL top = NAME(largest)(x, n), base = top > -INFINITY ? top : (REAL)0;
    double total = smoothing > 0 ? NAME(shares)(x, prior, out, n, base, smoothing) : NAME(ties)(x, prior, out, n, base);
    REAL divisor = (REAL)total;
    if (total == 0.0) { /* all are -inf */
        for (int64_t i = 0; i < n; i++)
            out[i] = (REAL)((prior ? prior[i] : 1.0) / mass);
        return -INFINITY;
    }
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        out[i] /= divisor;
    if (total != total)
        return NAN;
    return top + (smoothing > 0 ? smoothing * log(total / mass) : 0.0);
}

static CLONES void NAME(smooth_max)(const REAL *losses, const REAL *prior, REAL smoothing, REAL *values, REAL *weights, int64_t rows, int64_t n)
{
    double mass = (double)n;
    if (prior) {
        mass = 0.0;
        for (int64_t i = 0; i < n; i++)
            mass += prior[i];
    }
    for (int64_t row = 0; row < rows; row++)
        values[row] = (REAL)NAME(respond)(losses + row * n, prior, mass, smoothing, weights + row * n, n);
}

/* log sum exp of the entries that are present, or of all without `present`; `room` has BLOCK entries. */
static INLINE double NAME(log_sum)(const REAL *x, const unsigned char *present, int64_t n, REAL *room)
{
    REAL top = -(REAL)INFINITY;
    double total = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t start = 0; start < n; start += BLOCK) {
            int64_t count = n - start < BLOCK ? n - start : BLOCK;
            const REAL *block = x + start;
            if (present) {
                for (int64_t i = 0; i < count; i++)
                    room[i] = present[start + i] ? x[start + i] : -(REAL)INFINITY;
                block = room;
            }
            if (pass == 0) {
                REAL high = NAME(largest)(block, count);
                top = high > top ? high : top;
            } else
                total += NAME(shares)(block, NULL, room, count, top > -INFINITY ? top : (REAL)0, (REAL)1);
        }
    return (top > -INFINITY ? top : 0.0) + log(total);
}

/* log(exp(a) + exp(b)): log(1 + t) = 2 artanh(t / (2 + t)), by its series, which 1/9 makes short. */
static INLINE REAL NAME(log_add)(REAL a, REAL b)
{
    REAL t = NAME(exponential)(a == b ? (REAL)0 : -MAGNITUDE(a - b)), s = t / (2 + t), square = s * s, series = 0;
    for (int k = DOUBLE ? 35 : 15; k > 0; k -= 2)
        series = series * square + (REAL)2 / (REAL)k;
    return (a > b ? a : b) + s * series;
}

/* Where a row starts from: the log-weights, part of the way back to the prior, and moved along the losses; -inf where a task is absent. */
static INLINE void NAME(move)(const mirror *p, const REAL *held, const REAL *losses, const unsigned char *present, REAL *out)
{
    const REAL *log_prior = p->log_prior, step = (REAL)p->step_size, back = (REAL)p->forgetting, stay = (REAL)(1.0 - p->forgetting);
    int64_t n = p->tasks;
    for (int64_t i = 0; i < n; i++)
        out[i] = held[i];
    if (back > 0)
        for (int64_t i = 0; i < n; i++)
            out[i] = back * log_prior[i] + (stay > 0 ? stay * out[i] : (REAL)0);
    if (step > 0)
        for (int64_t i = 0; i < n; i++)
            out[i] += step * losses[i];
    if (present)
        for (int64_t i = 0; i < n; i++)
            out[i] = present[i] ? out[i] : -(REAL)INFINITY;
}

/* Mixes in the prior among the present tasks, whose weights add up to exp(mass). */
static INLINE void NAME(lift)(const mirror *p, const unsigned char *present, double mass, REAL *out, REAL *room)
{
    const REAL *log_prior = p->log_prior, lower = (REAL)log1p(-p->floor);
    const double among = present ? NAME(log_sum)(log_prior, present, p->tasks, room) : 0.0, shift = mass - among + log(p->floor);
    if (among == -INFINITY || shift != shift) /* nothing to mix in */
        return;
    const REAL raise = (REAL)shift;
    INDEPENDENT
    for (int64_t i = 0; i < p->tasks; i++)
        out[i] = NAME(log_add)(out[i] + lower, log_prior[i] + raise);
}

static CLONES void NAME(mirror_step)(const mirror *p)
{
    int64_t n = p->tasks;
    REAL room[BLOCK];
    for (int64_t row = 0; row < p->rows; row++) {
        const REAL *held = (const REAL *)p->log_weights + row * n, *losses = (const REAL *)p->losses + row * n;
        const unsigned char *present = p->present ? p->present + row * n : NULL;
        REAL *out = (REAL *)p->out + row * n;
        NAME(move)(p, held, losses, present, out);
        double total = NAME(log_sum)(out, NULL, n, room), all = 0.0, mass = 0.0;
        int stay = total == -INFINITY; /* no loss, or no weight, among the present */
        if (present || stay)
            all = NAME(log_sum)(held, NULL, n, room);
        if (present)
            mass = NAME(log_sum)(held, present, n, room) - all;
        const REAL *from = stay ? held : out, high = (REAL)(stay ? all : total), rest = (REAL)((stay ? all : total) - high);
        const REAL shift = (REAL)(stay ? 0.0 : mass) - rest;
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            out[i] = (from[i] - high) + shift;
        if (p->floor > 0.0)
            NAME(lift)(p, present, mass, out, room);
        if (present)
            for (int64_t i = 0; i < n; i++)
                out[i] = present[i] ? out[i] : held[i] - (REAL)all;
    }
}
