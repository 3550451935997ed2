/* Rows of w = min(max(v - tau, 0), cap), in the macros of simplex_rows.h.

   The sum is no convex function of tau. So first the pivot, the least entry that is not 0: steps of Newton's method inside a bracket, and where they
   leave it, or else every fourth time, bisection of the floating-point numbers, of which there are 2^32 or 2^64: no row needs many. Then w = min(v - pivot + lift, cap) on the entries from
   the pivot up: there the sum is concave in the lift, and Newton's method climbs from 0. Only differences of entries are added up, so
   nothing is lost where they differ by many orders of magnitude. */

typedef struct {
    double sum;        /* of min(v - pivot + lift, cap) over the entries from the pivot up */
    ptrdiff_t free;    /* how many of them are below their caps */
    REAL least, below; /* the least of them, and the largest of the others */
} NAME(level);

INLINE NAME(level) NAME(evaluate)(const REAL *v, const REAL *caps, ptrdiff_t n, REAL pivot, REAL lift)
{
    enum { CHUNK = 256 };
    NAME(level) level = {0, 0, (REAL)INFINITY, -(REAL)INFINITY};
    VEC least = (VEC){0} + (REAL)INFINITY, below = (VEC){0} - (REAL)INFINITY;
    ptrdiff_t i = 0;
    while (i + LANES <= n) {
        VEC sum = {0};
        MASK free = {0};
        for (ptrdiff_t end = i + CHUNK; i + LANES <= n && i < end; i += LANES) {
            VEC x = AT(v, i), cap = AT(caps, i), height = (x - pivot) + lift;
            MASK inside = ~(MASK)(x < pivot), full = (MASK)(height >= cap);
            sum += KEEP(inside, CHOOSE(full, cap, height));
            free -= inside & ~full;
            least = CHOOSE(inside & (MASK)(x < least), x, least);
            below = CHOOSE(~inside & (MASK)(x > below), x, below);
        }
        for (ptrdiff_t k = 0; k < LANES; k++) {
            level.sum += sum[k];
            level.free += (ptrdiff_t)free[k];
        }
    }
    for (ptrdiff_t k = 0; k < LANES; k++) {
        level.least = least[k] < level.least ? least[k] : level.least;
        level.below = below[k] > level.below ? below[k] : level.below;
    }
    for (; i < n; i++)
        if (!(v[i] < pivot)) {
            REAL height = (v[i] - pivot) + lift;
            level.sum += height >= caps[i] ? caps[i] : height;
            level.free += !(height >= caps[i]);
            level.least = v[i] < level.least ? v[i] : level.least;
        } else
            level.below = v[i] > level.below ? v[i] : level.below;
    return level;
}

/* The place of a number among all floating-point numbers, 0 for both zeros, and back. */
INLINE WORD NAME(place)(REAL x)
{
    WORD bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >= 0 ? bits : (bits ^ LARGEST_WORD) + 1;
}

INLINE REAL NAME(number)(WORD place)
{
    WORD bits = place >= 0 ? place : (place - 1) ^ LARGEST_WORD;
    REAL x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The least entry at which the entries above it, lowered by it and cut off at their caps, add up to no more than `scale`. */
INLINE REAL NAME(find_pivot)(const REAL *v, const REAL *caps, ptrdiff_t n, REAL top, REAL bottom, double scale)
{
    WORD low = NAME(place)(bottom) - 1, high; /* low is where the sum is too large, or nothing is below; high, the largest that is left */
    NAME(level) best = NAME(evaluate)(v, caps, n, top, 0);
    double guess = (double)top - scale;
    for (int step = 1; (high = NAME(place)(best.below)) > low; step++) {
        REAL t = guess < best.below ? (REAL)guess : best.below;
        if (NAME(place)(t) <= low || step % 4 == 0)
            t = NAME(number)((low >> 1) + (high >> 1) + ((low | high) & 1)); /* rounded up */
        NAME(level) level = NAME(evaluate)(v, caps, n, t, 0);
        double over = level.sum - scale;
        if (over > 0)
            low = NAME(place)(t);
        else
            best = level;
        guess = level.free ? t + over / (double)level.free : -INFINITY;
    }
    return best.least;
}

INLINE void NAME(project_capped_row)(const REAL *v, const REAL *caps, REAL *w, ptrdiff_t n, double scale)
{
    REAL top = NAME(largest)(v, n), pivot = 0, lift = (REAL)NAN;
    NAME(level) all = NAME(evaluate)(v, caps, n, -LARGEST, 0);
    if (all.sum == all.sum && top >= -LARGEST && top <= LARGEST) {
        pivot = NAME(find_pivot)(v, caps, n, top, all.least, scale);
        lift = 0;
        for (ptrdiff_t previous = -1;;) {
            NAME(level) level = NAME(evaluate)(v, caps, n, pivot, lift);
            double move = level.free ? (scale - level.sum) / (double)level.free : 0;
            if (move > 0 || level.free == previous)
                lift = (REAL)(lift + move);
            if (move <= 0 || level.free == previous)
                break;
            previous = level.free;
        }
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        REAL height = (v[i] - pivot) + lift;
        REAL inside = height >= caps[i] ? caps[i] : height;
        w[i] = v[i] < pivot && lift == lift ? 0 : inside;
    }
}

static TARGET void NAME(project_capped)(const REAL *v, const REAL *caps, REAL *w, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t cap_stride, double scale)
{
    for (ptrdiff_t row = 0; row < rows; row++)
        NAME(project_capped_row)(v + row * n, caps + row * cap_stride, w + row * n, n, scale);
}
