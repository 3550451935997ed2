/* Projections onto the simplex, with caps or without, and the derivative of the latter: rows of float or double, by AVX2 where the processor has it.

   The vectors are those of GCC and Clang. They are compiled for each instruction set by inclusion, not by target_clones, which would
   split them for the oldest processor before it makes the clones. */
#include "simplex_projection.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SHORT = 64 }; /* rows up to this length are projected several at once */
enum { DOUBLE = 1, PORTABLE = 2 }; /* kinds: what the numbers are, and, for tests, whether to do with what every processor has */

/* A bit for each of the lanes that are set in a mask of 32 bytes. */
static inline uint32_t lane_bits(const void *mask, int lanes)
{
    uint32_t bits = 0;
    for (int k = 0; k < lanes; k++)
        bits |= (uint32_t)(((const unsigned char *)mask)[k * (32 / lanes)] & 1) << k;
    return bits;
}

#define REAL float
#define WORD int32_t
#define LARGEST_WORD INT32_MAX
#define LARGEST FLT_MAX

#define TARGET
#define NAME(f) f##_float
#define BITS(m) lane_bits(&(m), 8)
#include "simplex_rows.h"
#include "capped_simplex_rows.h"
#undef TARGET
#undef NAME
#undef BITS

#ifdef __x86_64__
#include <immintrin.h>
#define TARGET __attribute__((target("avx2")))
#define NAME(f) f##_float_avx2
#define BITS(m) ((uint32_t)_mm256_movemask_ps((__m256)(m)))
#include "simplex_rows.h"
#include "capped_simplex_rows.h"
#undef TARGET
#undef NAME
#undef BITS
#endif

#undef REAL
#undef WORD
#undef LARGEST_WORD
#undef LARGEST
#define REAL double
#define WORD int64_t
#define LARGEST_WORD INT64_MAX
#define LARGEST DBL_MAX

#define TARGET
#define NAME(f) f##_double
#define BITS(m) lane_bits(&(m), 4)
#include "simplex_rows.h"
#include "capped_simplex_rows.h"
#undef TARGET
#undef NAME
#undef BITS

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#define NAME(f) f##_double_avx2
#define BITS(m) ((uint32_t)_mm256_movemask_pd((__m256d)(m)))
#include "simplex_rows.h"
#include "capped_simplex_rows.h"
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define RUN_AVX2(f, kind, ...) ((kind) & DOUBLE ? f##_double_avx2(__VA_ARGS__) : f##_float_avx2(__VA_ARGS__))
#else
#define HAS_AVX2 0
#define RUN_AVX2(f, kind, ...) ((void)0)
#endif
#define RUN_PORTABLE(f, kind, ...) ((kind) & DOUBLE ? f##_double(__VA_ARGS__) : f##_float(__VA_ARGS__))
#define RUN(f, kind, ...) (HAS_AVX2 && !((kind) & PORTABLE) ? RUN_AVX2(f, kind, __VA_ARGS__) : RUN_PORTABLE(f, kind, __VA_ARGS__))

/* The first `addresses` arguments, then as many whole numbers as there are up to the last, which is `scale` where it is asked for. */
static int parse(PyObject *const *args, Py_ssize_t given, int addresses, int integers, void **address, Py_ssize_t *integer, double *scale)
{
    if (given != addresses + integers + (scale != NULL)) {
        PyErr_Format(PyExc_TypeError, "takes %d arguments, got %zd", addresses + integers + (scale != NULL), given);
        return 0;
    }
    for (int i = 0; i < addresses; i++)
        address[i] = PyLong_AsVoidPtr(args[i]);
    for (int i = 0; i < integers; i++)
        integer[i] = PyLong_AsSsize_t(args[addresses + i]);
    if (scale != NULL)
        *scale = PyFloat_AsDouble(args[given - 1]);
    return !PyErr_Occurred();
}

/* simplex_project(v, w, rows, n, kind, scale) */
PyObject *simplex_project(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    void *p[2];
    Py_ssize_t n[3];
    double scale;
    (void)self;
    if (!parse(args, given, 2, 3, p, n, &scale))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    RUN(project, n[2], p[0], p[1], n[0], n[1], scale);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

/* simplex_project_capped(v, caps, w, rows, n, cap_stride, kind, scale) */
PyObject *simplex_project_capped(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    void *p[3];
    Py_ssize_t n[4];
    double scale;
    (void)self;
    if (!parse(args, given, 3, 4, p, n, &scale))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    RUN(project_capped, n[3], p[0], p[1], p[2], n[0], n[1], n[2], scale);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

/* simplex_tangent(w, g, out, rows, n, kind) */
PyObject *simplex_tangent(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    void *p[3];
    Py_ssize_t n[3];
    (void)self;
    if (!parse(args, given, 3, 3, p, n, NULL))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    RUN(tangent, n[2], p[0], p[1], p[2], n[0], n[1]);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}
