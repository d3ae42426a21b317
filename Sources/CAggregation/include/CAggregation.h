// The kernels of robust aggregation: sums, distances and sorting over blocks of coordinates.
//
// Every function gives the same bits at every level and on every machine: the order of the
// additions is written out, nothing is contracted to a fused multiply-add, and nothing but
// + - * / and comparisons of IEEE 754 is used. Rows of float32 may have any alignment. Values are
// finite; negative zeros count as zeros.
#ifndef AEGIS_CAGGREGATION_H
#define AEGIS_CAGGREGATION_H

#include <stddef.h>
#include <stdint.h>

/// Which instructions a kernel may use.
typedef enum {
    aggregation_portable = 0,
    aggregation_avx2 = 1,
    aggregation_avx512 = 2,
} aggregation_level;

/// The highest level this processor and its system have.
aggregation_level aggregation_level_here(void);

/// out[k] = row[k], float32 to binary64.
void aggregation_widen(
    aggregation_level level, const void *row, size_t count, double *out);

/// out[k] = row[k], negative zero to zero.
void aggregation_copy(aggregation_level level, const void *row, size_t count, float *out);

/// out[k] = values[k] rounded once to float32, negative zero to zero.
void aggregation_round(
    aggregation_level level, const double *values, size_t count, float *out);

/// out[k] = (w[0]·rows[0][start+k] + w[1]·rows[1][start+k] + …) / divisor, added in that order to
/// zero. Without weights (NULL) they are ones. Rows of float32.
void aggregation_combine_f32(
    aggregation_level level, const void *const *rows, const double *weights, size_t rowCount,
    size_t start, size_t count, double divisor, double *out);

/// The same with rows of binary64.
void aggregation_combine_f64(
    aggregation_level level, const void *const *rows, const double *weights, size_t rowCount,
    size_t start, size_t count, double divisor, double *out);

/// Adds the squared differences of rows i and j, for first ≤ i < last and i < j < rowCount, to
/// eight lanes for each pair, coordinate k in lane k mod 8. The lanes of the pairs of i follow
/// those of i−1. `count` is a multiple of 8; row i starts at rows + i·stride.
void aggregation_pairs(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t first,
    size_t last, size_t count, double *lanes);

/// Adds the squared differences of each row and the centre (zero where it is NULL) to eight lanes
/// for each row. `count` is a multiple of 8.
void aggregation_squares(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t count,
    const double *centre, double *lanes);

/// Adds the products of each row and the other vector to eight lanes for each row. `count` is a
/// multiple of 8.
void aggregation_products(
    aggregation_level level, const double *rows, size_t stride, size_t rowCount, size_t count,
    const double *other, double *lanes);

/// Each pair of row numbers in `network` in turn: the smaller value to the first row, the larger
/// to the second. `count` is a multiple of 16; row i starts at rows + i·count.
void aggregation_sort_f32(
    aggregation_level level, float *rows, size_t count, const uint16_t *network,
    size_t comparators);
void aggregation_sort_f64(
    aggregation_level level, double *rows, size_t count, const uint16_t *network,
    size_t comparators);

/// The same for values that carry weights along; equal values stay where they are.
void aggregation_sort_weighted(
    aggregation_level level, double *rows, double *weights, size_t count,
    const uint16_t *network, size_t comparators);

/// With rows sorted and their weights beside them: per coordinate the mean of the values by the
/// weight that lies between `low` and `high` of the cumulated weight; where that is nothing, the
/// value there, or the middle of the two that meet there. `cumulated` is scratch.
void aggregation_weighted_middle(
    aggregation_level level, const double *rows, const double *weights, size_t rowCount,
    size_t count, double low, double high, double *cumulated, double *out);

/// out[k] = |row[k] − centre[k]|.
void aggregation_gaps(
    aggregation_level level, const double *row, size_t count, const double *centre, double *out);

/// out[k] = the mean, in the rows' order, of the `keep` values with the least gaps, of equal gaps
/// the first rows'. limit[k] is the keep-th least gap; row i starts at i·count, and so do its gaps.
void aggregation_nearest(
    aggregation_level level, const double *rows, size_t rowCount, size_t count,
    const double *gaps, const double *limit, double keep, double *left, double *out);

/// How many of a row's values lie outside low…high.
size_t aggregation_outside_f32(
    aggregation_level level, const void *row, size_t count, const float *low,
    const float *high);
size_t aggregation_outside_f64(
    aggregation_level level, const void *row, size_t count, const double *low,
    const double *high);

#endif
