/* BLAS and LAPACK as scipy carries them: Fortran's calling convention, column-major matrices, 32-bit integers. */
#ifndef MINIMAX_BLAS_H
#define MINIMAX_BLAS_H

/* name, result, arguments */
#define MINIMAX_BLAS(X)                                                                                                              \
    X(ddot, double, (const int *n, const double *x, const int *incx, const double *y, const int *incy))                             \
    X(dgemv, void, (const char *trans, const int *m, const int *n, const double *alpha, const double *a, const int *lda,            \
                    const double *x, const int *incx, const double *beta, double *y, const int *incy))                              \
    X(dsyrk, void, (const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,          \
                    const int *lda, const double *beta, double *c, const int *ldc))                                                 \
    X(dtrsm, void, (const char *side, const char *uplo, const char *transa, const char *diag, const int *m, const int *n,           \
                    const double *alpha, const double *a, const int *lda, double *b, const int *ldb))                               \
    X(dtrsv, void, (const char *uplo, const char *trans, const char *diag, const int *n, const double *a, const int *lda,           \
                    double *x, const int *incx))
#define MINIMAX_LAPACK(X)                                                                                                            \
    X(dpotrf, void, (const char *uplo, const int *n, double *a, const int *lda, int *info))                                         \
    X(dpotrs, void, (const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b, const int *ldb,   \
                     int *info))

#define MINIMAX_DECLARE(name, result, arguments) extern result(*name) arguments;
MINIMAX_BLAS(MINIMAX_DECLARE)
MINIMAX_LAPACK(MINIMAX_DECLARE)
#undef MINIMAX_DECLARE

#endif
