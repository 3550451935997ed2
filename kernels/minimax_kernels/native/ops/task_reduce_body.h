/* Included by task_reduce.c once for each pair of types: LOSS and ID, with NAME(x) to tell the functions apart. */

typedef struct {
    double sum;
    LOSS max;
    int32_t count;
} NAME(cell);

static INLINE void NAME(add)(NAME(cell) *cell, LOSS loss, int seldom)
{
    cell->sum += loss;
    cell->count += 1;
    if (!seldom)
        cell->max = loss > cell->max ? loss : cell->max;
    else if (loss > cell->max)
        cell->max = loss;
}

/* Sample i goes to lane i % lanes of its task: a sum that was just stored is not needed at once. `lanes` and `seldom` are constants where this
 * is inlined, `seldom` whether a new maximum is: then a branch saves the store. */
static INLINE int NAME(accumulate)(NAME(cell) *cells, int lanes, int seldom, const LOSS *losses, const ID *ids, int64_t n, const problem *p)
{
    const int64_t tasks = p->tasks, ignored = p->ignored; /* the compiler cannot know that no store to a cell changes them */
    int wrong = 0;
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (int lane = 0; lane < lanes; lane++) {
            int64_t id = ids[i + lane];
            if ((uint64_t)id < (uint64_t)tasks)
                NAME(add)(cells + id * lanes + lane, losses[i + lane], seldom);
            else
                wrong |= id != ignored;
        }
    for (; i < n; i++) {
        int64_t id = ids[i];
        if ((uint64_t)id < (uint64_t)tasks)
            NAME(add)(cells + id * lanes, losses[i], seldom);
        else
            wrong |= id != ignored;
    }
    return wrong;
}

/* Sums, counts and maxima of the tasks: 0 where all is well, WRONG_ID, or NO_MEMORY. */
static CLONES int NAME(reduce)(const problem *p, reduction *r)
{
    const LOSS *losses = p->losses;
    const ID *ids = p->ids;
    int lanes = p->tasks <= MANY_TASKS ? LANES : 1, wrong = 0;
    NAME(cell) *cells = malloc((size_t)p->tasks * lanes * sizeof *cells);
    if (!cells)
        return NO_MEMORY;
    for (int64_t start = 0; start == 0 || start < p->samples; start += CHUNK) {
        int64_t n = p->samples - start < CHUNK ? p->samples - start : CHUNK;
        for (int64_t c = 0; c < p->tasks * lanes; c++)
            cells[c] = (NAME(cell)){0.0, -(LOSS)INFINITY, 0};
        wrong |= p->tasks <= FEW_TASKS    ? NAME(accumulate)(cells, LANES, 1, losses + start, ids + start, n, p)
                 : p->tasks <= MANY_TASKS ? NAME(accumulate)(cells, LANES, 0, losses + start, ids + start, n, p)
                                          : NAME(accumulate)(cells, 1, 0, losses + start, ids + start, n, p);
        for (int64_t k = 0; k < p->tasks; k++)
            for (int lane = 0; lane < lanes; lane++) {
                const NAME(cell) *cell = cells + k * lanes + lane;
                r->sums[k] += cell->sum;
                r->counts[k] += cell->count;
                r->max[k] = cell->max > r->max[k] ? cell->max : r->max[k];
            }
    }
    free(cells);
    return wrong ? WRONG_ID : 0;
}

/* The largest finite |loss| of the samples that count. */
static double NAME(largest)(const problem *p)
{
    const LOSS *losses = p->losses;
    const ID *ids = p->ids;
    double largest = 0.0;
    for (int64_t i = 0; i < p->samples; i++) {
        double size = fabs((double)losses[i]);
        if (size > largest && size < INFINITY && (uint64_t)(int64_t)ids[i] < (uint64_t)p->tasks && ids[i] != p->ignored)
            largest = size;
    }
    return largest;
}

/* The same in whole numbers: see `exact` in reduce/exact.py for what the five rows of `totals` hold. */
static CLONES int NAME(reduce_exact)(const problem *p, double unit, int64_t *totals, double *max)
{
    const LOSS *losses = p->losses;
    const ID *ids = p->ids;
    const double units = 1.0 / unit, limit = unit * HIGH;
    const int64_t tasks = p->tasks, ignored = p->ignored, samples = p->samples;
    int wrong = 0;
    for (int64_t i = 0; i < samples; i++) {
        int64_t k = ids[i];
        double loss = losses[i];
        if ((uint64_t)k >= (uint64_t)tasks || k == ignored) {
            wrong |= k != ignored;
            continue;
        }
        totals[2 * tasks + k] += 1;
        max[k] = loss > max[k] ? loss : max[k];
        if (fabs(loss) <= limit) {
            double high = nearest(loss * units), low = nearest((loss - high * unit) * (units * LOW));
            totals[k] += (int64_t)high;
            totals[tasks + k] += (int64_t)low;
        } else { /* nan is both */
            totals[3 * tasks + k] += !(loss < 0.0);
            totals[4 * tasks + k] += !(loss > 0.0);
        }
    }
    return wrong ? WRONG_ID : 0;
}

/* table[ids[i]] for each sample, 0 where it is ignored. */
static CLONES int NAME(spread)(const problem *p, const LOSS *table, LOSS *out)
{
    const ID *ids = p->ids;
    const int64_t tasks = p->tasks, ignored = p->ignored, samples = p->samples;
    int wrong = 0;
    for (int64_t i = 0; i < samples; i++) {
        int64_t k = ids[i];
        int inside = (uint64_t)k < (uint64_t)tasks && k != ignored;
        out[i] = inside ? table[k] : (LOSS)0;
        wrong |= !inside && k != ignored;
    }
    return wrong ? WRONG_ID : 0;
}

#undef LOSS
#undef ID
#undef NAME
