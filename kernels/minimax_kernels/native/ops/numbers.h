/* Included after DOUBLE is defined, as 0 or 1, once for each: the type REAL and its exponential. NAME(x) tells the functions apart. */
#undef REAL
#undef WORD
#undef NAME
#undef COEFFICIENTS
#undef DEGREE
#undef SHIFT
#undef LOG_2_HIGH
#undef LOG_2_LOW
#undef BIAS
#undef MANTISSA
#undef LOWEST
#undef MAGNITUDE

#if DOUBLE
#define REAL double
#define WORD uint64_t
#define NAME(x) x##_double
#define COEFFICIENTS                                                                                                    \
    0.5000000000000013, 0.166666666666667, 0.0416666666665143, 0.008333333333306993, 0.0013888888947336973, 0.00019841269917860477, \
        2.4801489584612006e-05, 2.7557215858838645e-06, 2.7631415862816743e-07, 2.5118005699370136e-08
#define DEGREE 9
#define SHIFT 6755399441055744.0 /* 1.5 * 2^52 */
#define LOG_2_HIGH 0.693145751953125
#define LOG_2_LOW 1.42860682030941723212e-6
#define BIAS 1023
#define MANTISSA 52
#define LOWEST -708.3
#define MAGNITUDE fabs
#else
#define REAL float
#define WORD uint32_t
#define NAME(x) x##_float
#define COEFFICIENTS 0.5f, 0.16666518f, 0.041666206f, 0.008368953f, 0.0013950602f
#define DEGREE 4
#define SHIFT 12582912.0f /* 1.5 * 2^23 */
#define LOG_2_HIGH 0.693359375f
#define LOG_2_LOW -2.12194440e-4f
#define BIAS 127
#define MANTISSA 23
#define LOWEST -87.3f
#define MAGNITUDE fabsf
#endif

/* e^x for x <= 0, to two units in the last place; below LOWEST, where the result would lose digits, it is 0. nan gives nan.
 * x = n log 2 + f, and e^f = 1 + f + f^2 q(f) with the q of least relative error. n stands in the last bits of n + SHIFT. */
static INLINE REAL NAME(exponential)(REAL x)
{
    static const REAL q[] = {COEFFICIENTS};
    REAL shifted = x * (REAL)1.4426950408889634 + SHIFT, n = shifted - SHIFT, y = q[DEGREE], power;
    REAL f = (x - n * LOG_2_HIGH) - n * LOG_2_LOW;
    for (int k = DEGREE; k-- > 0;)
        y = y * f + q[k];
    y = (REAL)1 + (f + f * f * y);
    WORD bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + BIAS) << MANTISSA;
    memcpy(&power, &bits, sizeof power);
    return x < LOWEST ? (REAL)0 : y * power;
}

/* -inf where all are -inf or nan. */
static INLINE REAL NAME(largest)(const REAL *x, int64_t n)
{
    REAL lanes[LANES], top = -(REAL)INFINITY;
    int64_t whole = n - n % LANES;
    for (int lane = 0; lane < LANES; lane++)
        lanes[lane] = top;
    for (int64_t start = 0; start < whole; start += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] = x[start + lane] > lanes[lane] ? x[start + lane] : lanes[lane];
    for (int64_t i = whole; i < n; i++)
        lanes[i - whole] = x[i] > lanes[i - whole] ? x[i] : lanes[i - whole];
    for (int lane = 0; lane < LANES; lane++)
        top = lanes[lane] > top ? lanes[lane] : top;
    return top;
}
