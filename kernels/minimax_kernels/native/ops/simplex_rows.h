/* Rows of one precision for one instruction set: simplex_projection.c includes this file once for each pair, with REAL, WORD (the integers of its
   size), NAME(f) (the name of f for that pair), TARGET (the attribute of its functions) and BITS(m) (a bit for each lane of the mask in the variable m).

   w = max(v - tau, 0) by Newton's method on f(tau) = sum (v - tau)+ - scale, which is convex and decreasing. From `scale` under the largest entry it
   climbs to the root and is there when the number of positive terms stays the same; f f' falls by 4 in a step, so log4(K^2 / eps) steps are enough.
   tau is kept as high + low, as exact as it comes out: were it rounded, the entries within its last digit would be lost, and with many of
   them the sum. */

#define VEC NAME(vector)
#define MASK NAME(mask)
#define LANES ((ptrdiff_t)(32 / sizeof(REAL)))
#define INLINE static inline __attribute__((always_inline)) TARGET
typedef REAL VEC __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
typedef WORD MASK __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));

#define AT(p, i) (*(const VEC *)((p) + (i)))
#define POSITIVE(t) (~(MASK)((t) <= (REAL)0)) /* of nan too, so that it spreads to the sum and from there to the row */
#define KEEP(mask, t) ((VEC)((mask) & (MASK)(t)))
#define CHOOSE(mask, a, b) ((VEC)(((MASK)(mask) & (MASK)(a)) | (~(MASK)(mask) & (MASK)(b))))

/* STEP(j, x) for the vectors x of the row; j = 0, ..., 3 takes turns, so that no step waits for the one before. The last is filled up by -inf. */
#define SWEEP(row, n, STEP)                                                                                                                  \
    do {                                                                                                                                     \
        ptrdiff_t at = 0;                                                                                                                    \
        for (; at + 4 * LANES <= (n); at += 4 * LANES) {                                                                                     \
            STEP(0, AT(row, at));                                                                                                            \
            STEP(1, AT(row, at + LANES));                                                                                                    \
            STEP(2, AT(row, at + 2 * LANES));                                                                                                \
            STEP(3, AT(row, at + 3 * LANES));                                                                                                \
        }                                                                                                                                    \
        for (; at + LANES <= (n); at += LANES)                                                                                               \
            STEP(0, AT(row, at));                                                                                                            \
        if (at < (n)) {                                                                                                                      \
            REAL last[LANES];                                                                                                                \
            for (ptrdiff_t k = 0; k < LANES; k++)                                                                                            \
                last[k] = at + k < (n) ? (row)[at + k] : -(REAL)INFINITY;                                                                    \
            STEP(0, AT(last, 0));                                                                                                            \
        }                                                                                                                                    \
    } while (0)

INLINE REAL NAME(largest)(const REAL *v, ptrdiff_t n)
{
    const VEC none = (VEC){0} - (REAL)INFINITY;
    VEC top[4] = {none, none, none, none};
#define STEP(j, x) top[j] = CHOOSE((x) > top[j], x, top[j])
    SWEEP(v, n, STEP);
#undef STEP
    REAL most = -(REAL)INFINITY;
    for (int j = 1; j < 4; j++)
        top[0] = CHOOSE(top[j] > top[0], top[j], top[0]);
    for (ptrdiff_t k = 0; k < LANES; k++)
        most = top[0][k] > most ? top[0][k] : most;
    return most;
}

/* sum (v - top - tau)+, where *size entries are positive. Terms are added up in their own precision CHUNK at a time, and these sums in double. */
INLINE double NAME(excess)(const REAL *v, ptrdiff_t n, REAL top, REAL high, REAL low, ptrdiff_t *size)
{
    enum { CHUNK = 1024 };
    double total = 0;
    *size = 0;
    for (ptrdiff_t start = 0; start < n; start += CHUNK) {
        VEC sum[4] = {{0}, {0}, {0}, {0}};
        MASK count[4] = {{0}, {0}, {0}, {0}};
        ptrdiff_t length = n - start < CHUNK ? n - start : CHUNK;
#define STEP(j, x)                                                                                                                           \
    do {                                                                                                                                     \
        VEC t = (((x) - top) - high) - low;                                                                                                  \
        MASK out = (MASK)(t <= (REAL)0);                                                                                                     \
        sum[j] += KEEP(~out, t);                                                                                                             \
        count[j] += out;                                                                                                                     \
    } while (0)
        SWEEP(v + start, length, STEP);
#undef STEP
        VEC sums = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        MASK counts = (count[0] + count[1]) + (count[2] + count[3]);
        for (ptrdiff_t k = 0; k < LANES; k += 2) {
            total += (double)sums[k] + sums[k + 1];
            *size += (ptrdiff_t)(counts[k] + counts[k + 1]);
        }
        *size += (length + LANES - 1) / LANES * LANES; /* all lanes less those at or below tau */
    }
    return total;
}

/* Copies the entries above tau to `kept`, which may be v itself, and counts them; -1 when they are more than `limit`. */
INLINE ptrdiff_t NAME(compact)(const REAL *v, ptrdiff_t n, REAL top, REAL high, REAL low, REAL *kept, ptrdiff_t limit)
{
    ptrdiff_t count = 0, i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        uint32_t bits = 0;
        for (int j = 0; j < 4; j++) {
            VEC t = ((AT(v, i + j * LANES) - top) - high) - low;
            MASK above = POSITIVE(t);
            bits |= BITS(above) << (j * LANES);
        }
        for (; bits; bits &= bits - 1)
            kept[count++] = v[i + __builtin_ctz(bits)];
        if (count > limit)
            return -1;
    }
    for (; i < n; i++)
        if (!(((v[i] - top) - high) - low <= 0))
            kept[count++] = v[i];
    return count;
}

/* One row of n >= LANES entries. What is above tau moves to the start of w when it is little; in the end w is written over. */
INLINE void NAME(project_row)(const REAL *v, REAL *w, ptrdiff_t n, double scale)
{
    const REAL *x = v;
    REAL top = NAME(largest)(v, n), high = (REAL)-scale, low = (REAL)(-scale - high);
    ptrdiff_t size, previous = -1, length = NAME(compact)(v, n, top, high, low, w, n / 8);
    if (length < 0)
        length = n;
    else
        x = w;
    for (;; previous = size) {
        double move = (NAME(excess)(x, length, top, high, low, &size) - scale) / (double)size;
        if (move <= 0 && size != previous)
            break;
        double climb = low + move;
        REAL next = (REAL)(high + climb);
        low = (REAL)(climb - ((double)next - high));
        high = next;
        if (size == previous || !(move > 0)) /* settled, or nan */
            break;
        if (8 * size <= length && length > 8 * LANES) {
            length = NAME(compact)(x, length, top, high, low, w, length);
            x = w;
        }
    }
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        ptrdiff_t at = i + LANES <= n ? i : n - LANES; /* the last vector overlaps the one before */
        VEC t = ((AT(v, at) - top) - high) - low;
        *(VEC *)(w + at) = KEEP(POSITIVE(t), t);
    }
}

/* Up to LANES short rows at once, a lane each: the same steps, and a row that has arrived stays where it is. */
INLINE void NAME(project_short_rows)(const REAL *v, REAL *w, ptrdiff_t rows, ptrdiff_t n, double scale)
{
    REAL entries[SHORT * 8];
    for (ptrdiff_t row = 0; row < LANES; row++)
        for (ptrdiff_t k = 0; k < n; k++)
            entries[k * LANES + row] = v[(row < rows ? row : 0) * n + k];
    VEC *x = (VEC *)entries, top = (VEC){0} - (REAL)INFINITY;
    VEC high = (VEC){0} - (REAL)scale, low = (VEC){0} - (REAL)(scale - (REAL)scale);
    MASK moving = ~(MASK){0}, previous = {0};
    for (ptrdiff_t k = 0; k < n; k++)
        top = CHOOSE(x[k] > top, x[k], top);
    while (BITS(moving)) {
        VEC sum[2] = {{0}, {0}};
        MASK size = {0};
        for (ptrdiff_t k = 0; k < n; k++) {
            VEC t = ((x[k] - top) - high) - low;
            MASK positive = POSITIVE(t);
            VEC next = sum[1] + KEEP(positive, t); /* in turn, so that no addition waits for the one before */
            sum[1] = sum[0];
            sum[0] = next;
            size -= positive;
        }
        VEC move = (sum[0] + sum[1] - (REAL)scale) / __builtin_convertvector(size, VEC);
        MASK settled = (MASK)(size == previous), apply = moving & (settled | POSITIVE(move));
        VEC climb = low + move, next = high + climb;
        low = CHOOSE(apply, climb - (next - high), low);
        high = CHOOSE(apply, next, high);
        moving &= ~settled & (MASK)(move > (REAL)0);
        previous = size;
    }
    for (ptrdiff_t k = 0; k < n; k++) {
        VEC t = ((x[k] - top) - high) - low;
        x[k] = KEEP(POSITIVE(t), t);
    }
    for (ptrdiff_t row = 0; row < rows; row++)
        for (ptrdiff_t k = 0; k < n; k++)
            w[row * n + k] = entries[k * LANES + row];
}

static TARGET void NAME(project)(const REAL *v, REAL *w, ptrdiff_t rows, ptrdiff_t n, double scale)
{
    for (ptrdiff_t row = 0; n > SHORT && row < rows; row++)
        NAME(project_row)(v + row * n, w + row * n, n, scale);
    for (ptrdiff_t row = 0; n <= SHORT && row < rows; row += LANES)
        NAME(project_short_rows)(v + row * n, w + row * n, rows - row < LANES ? rows - row : LANES, n, scale);
}

/* out = g less its mean over w > 0, and 0 elsewhere. */
static TARGET void NAME(tangent)(const REAL *w, const REAL *g, REAL *out, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t row = 0; row < rows; row++, w += n, g += n, out += n) {
        double total = 0;
        ptrdiff_t size = 0, i = 0;
        VEC sum = {0};
        MASK count = {0};
        for (; i + LANES <= n; i += LANES) {
            MASK inside = (MASK)(AT(w, i) > (REAL)0);
            sum += KEEP(inside, AT(g, i));
            count -= inside;
        }
        for (ptrdiff_t k = 0; k < LANES; k++)
            total += sum[k], size += (ptrdiff_t)count[k];
        for (; i < n; i++)
            total += w[i] > 0 ? g[i] : 0, size += w[i] > 0;
        REAL mean = size ? (REAL)(total / (double)size) : 0;
        for (i = 0; i + LANES <= n; i += LANES)
            *(VEC *)(out + i) = KEEP((MASK)(AT(w, i) > (REAL)0), AT(g, i) - mean);
        for (; i < n; i++)
            out[i] = w[i] > 0 ? g[i] - mean : 0;
    }
}
