/* Loops that the compiler turns into vector instructions, for each generation of processors. */
#ifndef MINIMAX_OPS_VECTORS_H
#define MINIMAX_OPS_VECTORS_H

#if defined(__x86_64__) && defined(__gnu_linux__)
#define CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define CLONES
#endif

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline)) /* for each clone */
#else
#define INLINE inline
#endif

/* The next loop reads and writes the same place at most: an entry never another one's. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#define LANES 32   /* partial sums of a row, whatever the vectors of the machine: the same bits on all */
#define BLOCK 1024 /* entries that stay in the first-level cache between two looks at them */

/* The sum of `term`, an expression in i, over i < n. */
#define SUM(total, n, term)                                    \
    do {                                                       \
        REAL lanes[LANES] = {0};                               \
        int64_t whole = (n) - (n) % LANES;                     \
        for (int64_t start = 0; start < whole; start += LANES) \
            for (int lane = 0; lane < LANES; lane++) {         \
                int64_t i = start + lane;                      \
                lanes[lane] += (term);                         \
            }                                                  \
        for (int64_t i = whole; i < (n); i++)                  \
            lanes[i - whole] += (term);                        \
        for (int half = LANES / 2; half > 0; half /= 2)        \
            for (int lane = 0; lane < half; lane++)            \
                lanes[lane] += lanes[lane + half];             \
        total = lanes[0];                                      \
    } while (0)

#endif
