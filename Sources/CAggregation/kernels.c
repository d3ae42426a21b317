#include "CAggregation.h"

// The package builds this with -ffp-contract=off; this holds for any other build too.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

typedef float unaligned_float __attribute__((aligned(1), may_alias));

// Eight lanes of binary64, whatever the registers' width: the order of a sum is in the source.
typedef float unaligned_floats8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef float floats4 __attribute__((vector_size(16), may_alias));
typedef double lanes4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef double lanes8 __attribute__((vector_size(64), aligned(8), may_alias));

#define LEVEL(name) name##_portable
#define TILE_ROWS 1
#define TILE_COLUMNS 2
#include "level.h"
#undef LEVEL
#undef TILE_ROWS
#undef TILE_COLUMNS

#if defined(__x86_64__)
#define HAS_LEVELS 1

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define LEVEL(name) name##_avx2
#define TILE_ROWS 2
#define TILE_COLUMNS 2
#include "level.h"
#undef LEVEL
#undef TILE_ROWS
#undef TILE_COLUMNS
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw")
#endif
#define LEVEL(name) name##_avx512
#define TILE_ROWS 4
#define TILE_COLUMNS 4
#include "level.h"
#undef LEVEL
#undef TILE_ROWS
#undef TILE_COLUMNS
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

aggregation_level aggregation_level_here(void) {
#if defined(HAS_LEVELS)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return aggregation_avx512;
    if (__builtin_cpu_supports("avx2")) return aggregation_avx2;
#endif
    return aggregation_portable;
}

#if defined(HAS_LEVELS)
#define DISPATCH(name, ...) \
    switch (level) { \
    case aggregation_avx512: return name##_avx512(__VA_ARGS__); \
    case aggregation_avx2: return name##_avx2(__VA_ARGS__); \
    case aggregation_portable: return name##_portable(__VA_ARGS__); \
    } \
    return name##_portable(__VA_ARGS__)
#else
#define DISPATCH(name, ...) \
    (void)level; \
    return name##_portable(__VA_ARGS__)
#endif

void aggregation_widen(aggregation_level level, const void *row, size_t count, double *out) {
    DISPATCH(widen, row, count, out);
}

void aggregation_copy(aggregation_level level, const void *row, size_t count, float *out) {
    DISPATCH(copy, row, count, out);
}

void aggregation_round(
    aggregation_level level, const double *values, size_t count, float *out
) {
    DISPATCH(round, values, count, out);
}

void aggregation_combine_f32(
    aggregation_level level, const void *const *rows, const double *weights, size_t rowCount,
    size_t start, size_t count, double divisor, double *out
) {
    DISPATCH(combine_f32, rows, weights, rowCount, start, count, divisor, out);
}

void aggregation_combine_f64(
    aggregation_level level, const void *const *rows, const double *weights, size_t rowCount,
    size_t start, size_t count, double divisor, double *out
) {
    DISPATCH(combine_f64, rows, weights, rowCount, start, count, divisor, out);
}

void aggregation_pairs(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t first,
    size_t last, size_t count, double *lanes
) {
    DISPATCH(pairs, rows, stride, rowCount, first, last, count, lanes);
}

void aggregation_squares(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t count,
    const double *centre, double *lanes
) {
    DISPATCH(squares, rows, stride, rowCount, count, centre, lanes);
}

void aggregation_products(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t count,
    const double *other, double *lanes
) {
    DISPATCH(products, rows, stride, rowCount, count, other, lanes);
}

void aggregation_sort_f32(
    aggregation_level level, float *rows, size_t count, const uint16_t *network,
    size_t comparators
) {
    DISPATCH(sort_f32, rows, count, network, comparators);
}

void aggregation_sort_f64(
    aggregation_level level, double *rows, size_t count, const uint16_t *network,
    size_t comparators
) {
    DISPATCH(sort_f64, rows, count, network, comparators);
}

void aggregation_sort_weighted(
    aggregation_level level, double *rows, double *weights, size_t count,
    const uint16_t *network, size_t comparators
) {
    DISPATCH(sort_weighted, rows, weights, count, network, comparators);
}

void aggregation_weighted_middle(
    aggregation_level level, const double *rows, const double *weights, size_t rowCount,
    size_t count, double low, double high, double *cumulated, double *out
) {
    DISPATCH(weighted_middle, rows, weights, rowCount, count, low, high, cumulated, out);
}

void aggregation_gaps(
    aggregation_level level, const double *row, size_t count, const double *centre, double *out
) {
    DISPATCH(gaps, row, count, centre, out);
}

void aggregation_nearest(
    aggregation_level level, const double *rows, size_t rowCount, size_t count,
    const double *gaps, const double *limit, double keep, double *left, double *out
) {
    DISPATCH(nearest, rows, rowCount, count, gaps, limit, keep, left, out);
}

size_t aggregation_outside_f32(
    aggregation_level level, const void *row, size_t count, const float *low,
    const float *high
) {
    DISPATCH(outside_f32, row, count, low, high);
}

size_t aggregation_outside_f64(
    aggregation_level level, const void *row, size_t count, const double *low,
    const double *high
) {
    DISPATCH(outside_f64, row, count, low, high);
}
