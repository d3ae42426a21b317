// All kernels at one level. The includer defines LEVEL(name) and the size of the tiles of pairs
// that fit the registers; the tiles' size changes no bit.

static void LEVEL(widen)(const void *row, size_t count, double *restrict out) {
    const unaligned_float *restrict values = row;
    for (size_t k = 0; k < count; k++) out[k] = (double)(values[k] + 0.0f);
}

static void LEVEL(copy)(const void *row, size_t count, float *restrict out) {
    const unaligned_float *restrict values = row;
    for (size_t k = 0; k < count; k++) out[k] = values[k] + 0.0f;
}

static void LEVEL(round)(const double *restrict values, size_t count, float *restrict out) {
    size_t k = 0;
#if defined(__clang__)
    // Past the caches where that is possible: nobody reads the result soon, and a store through
    // them reads the memory first.
    if ((uintptr_t)out % 16 == 0)
        for (; k + 4 <= count; k += 4) {
            const floats4 rounded =
                __builtin_convertvector(*(const lanes4 *)(values + k), floats4) + 0.0f;
            __builtin_nontemporal_store(rounded, (floats4 *)(out + k));
        }
#endif
    for (; k < count; k++) out[k] = (float)values[k] + 0.0f;
}

// Of few rows every value's sum stays in registers, one row's after the other's, divided at once.
// The additions and their order are those of the general form (typed.h).
static void LEVEL(combine_few)(
    const void *const *rows, const double *weights, size_t rowCount, size_t start, size_t count,
    double divisor, double *restrict out
) {
    size_t k = 0;
    for (; k + 16 <= count; k += 16) {
        lanes8 low = {0}, high = {0};
        for (size_t i = 0; i < rowCount; i++) {
            const char *row = (const char *)rows[i] + (start + k) * sizeof(float);
            __builtin_prefetch(row + 1024, 0, 2);
            const lanes8 first =
                __builtin_convertvector(*(const unaligned_floats8 *)row, lanes8);
            const lanes8 second =
                __builtin_convertvector(*(const unaligned_floats8 *)(row + 32), lanes8);
            if (weights == NULL) {
                low = low + first;
                high = high + second;
            } else {
                low = low + first * weights[i];
                high = high + second * weights[i];
            }
        }
        if (divisor != 1) {
            low = low / divisor;
            high = high / divisor;
        }
        *(lanes8 *)(out + k) = low;
        *(lanes8 *)(out + k + 8) = high;
    }
    for (; k < count; k++) {
        double sum = 0;
        for (size_t i = 0; i < rowCount; i++) {
            const double value = (double)((const unaligned_float *)rows[i])[start + k];
            sum = sum + (weights == NULL ? value : value * weights[i]);
        }
        out[k] = divisor != 1 ? sum / divisor : sum;
    }
}

static void LEVEL(pairs)(
    const double *rows, size_t stride, size_t rowCount, size_t first, size_t last, size_t count,
    double *lanes
) {
    // The pairs of row i start at before[i]: kept for the rows of one tile.
    size_t start = 0;
    for (size_t i = first; i < last; i += TILE_ROWS) {
        size_t before[TILE_ROWS];
        for (size_t a = 0; a < TILE_ROWS; a++) {
            before[a] = start;
            if (i + a < last) start += rowCount - 1 - (i + a);
        }
        for (size_t j = i + 1; j < rowCount; j += TILE_COLUMNS) {
            const double *left[TILE_ROWS], *right[TILE_COLUMNS];
            lanes8 sums[TILE_ROWS][TILE_COLUMNS];
            // Rows beyond the last repeat it; what they give is thrown away.
            for (size_t a = 0; a < TILE_ROWS; a++)
                left[a] = rows + (i + a < rowCount ? i + a : rowCount - 1) * stride;
            for (size_t b = 0; b < TILE_COLUMNS; b++)
                right[b] = rows + (j + b < rowCount ? j + b : rowCount - 1) * stride;
            for (size_t a = 0; a < TILE_ROWS; a++)
                for (size_t b = 0; b < TILE_COLUMNS; b++) sums[a][b] = (lanes8){0};
            for (size_t a = 0; a < TILE_ROWS; a++)
                for (size_t b = 0; b < TILE_COLUMNS; b++)
                    if (i + a < last && j + b < rowCount && i + a < j + b)
                        sums[a][b] = *(const lanes8 *)(lanes
                            + 8 * (before[a] + (j + b) - (i + a) - 1));
            for (size_t k = 0; k < count; k += 8)
                for (size_t a = 0; a < TILE_ROWS; a++) {
                    const lanes8 value = *(const lanes8 *)(left[a] + k);
                    for (size_t b = 0; b < TILE_COLUMNS; b++) {
                        const lanes8 gap = value - *(const lanes8 *)(right[b] + k);
                        sums[a][b] = sums[a][b] + gap * gap;
                    }
                }
            for (size_t a = 0; a < TILE_ROWS; a++)
                for (size_t b = 0; b < TILE_COLUMNS; b++)
                    if (i + a < last && j + b < rowCount && i + a < j + b)
                        *(lanes8 *)(lanes + 8 * (before[a] + (j + b) - (i + a) - 1)) =
                            sums[a][b];
        }
    }
}

static void LEVEL(squares)(
    const double *rows, size_t stride, size_t rowCount, size_t count, const double *centre,
    double *lanes
) {
    for (size_t i = 0; i < rowCount; i++) {
        const double *row = rows + i * stride;
        lanes8 sum = *(const lanes8 *)(lanes + 8 * i);
        for (size_t k = 0; k < count; k += 8) {
            lanes8 gap = *(const lanes8 *)(row + k);
            if (centre != NULL) gap = gap - *(const lanes8 *)(centre + k);
            sum = sum + gap * gap;
        }
        *(lanes8 *)(lanes + 8 * i) = sum;
    }
}

static void LEVEL(products)(
    const double *rows, size_t stride, size_t rowCount, size_t count, const double *other,
    double *lanes
) {
    for (size_t i = 0; i < rowCount; i++) {
        const double *row = rows + i * stride;
        lanes8 sum = *(const lanes8 *)(lanes + 8 * i);
        for (size_t k = 0; k < count; k += 8)
            sum = sum + *(const lanes8 *)(row + k) * *(const lanes8 *)(other + k);
        *(lanes8 *)(lanes + 8 * i) = sum;
    }
}

static void LEVEL(sort_weighted)(
    double *rows, double *weights, size_t count, const uint16_t *network, size_t comparators
) {
    for (size_t c = 0; c < comparators; c++) {
        double *restrict low = rows + network[2 * c] * count;
        double *restrict high = rows + network[2 * c + 1] * count;
        double *restrict lowWeight = weights + network[2 * c] * count;
        double *restrict highWeight = weights + network[2 * c + 1] * count;
        for (size_t k = 0; k < count; k++) {
            const double a = low[k], b = high[k], v = lowWeight[k], w = highWeight[k];
            low[k] = b < a ? b : a;
            high[k] = b < a ? a : b;
            lowWeight[k] = b < a ? w : v;
            highWeight[k] = b < a ? v : w;
        }
    }
}

static void LEVEL(weighted_middle)(
    const double *rows, const double *weights, size_t rowCount, size_t count, double low,
    double high, double *restrict cumulated, double *restrict out
) {
    const double width = high - low;
    for (size_t k = 0; k < count; k++) {
        cumulated[k] = 0;
        out[k] = 0;
    }
    for (size_t i = 0; i < rowCount; i++) {
        const double *restrict values = rows + i * count;
        const double *restrict weight = weights + i * count;
        for (size_t k = 0; k < count; k++) {
            const double before = cumulated[k], after = before + weight[k];
            // Where low meets high, whole values: half of each of two that touch it.
            const double from = before > low ? before : low, to = after < high ? after : high;
            const double inside = to > from ? to - from : 0.0;
            const double whole = before < low && low < after ? 1.0 : 0.0;
            const double touch = weight[k] > 0 && (after == low || before == low) ? 0.5 : 0.0;
            out[k] = out[k] + (width > 0 ? inside : whole + touch) * values[k];
            cumulated[k] = after;
        }
    }
    if (width > 0)
        for (size_t k = 0; k < count; k++) out[k] = out[k] / width;
}

static void LEVEL(gaps)(
    const double *restrict row, size_t count, const double *restrict centre,
    double *restrict out
) {
    for (size_t k = 0; k < count; k++) out[k] = __builtin_fabs(row[k] - centre[k]);
}

static void LEVEL(nearest)(
    const double *rows, size_t rowCount, size_t count, const double *gaps,
    const double *restrict limit, double keep, double *restrict left, double *restrict out
) {
    for (size_t k = 0; k < count; k++) {
        left[k] = keep;
        out[k] = 0;
    }
    for (size_t i = 0; i < rowCount; i++) {
        const double *restrict gap = gaps + i * count;
        for (size_t k = 0; k < count; k++) left[k] = left[k] - (gap[k] < limit[k] ? 1.0 : 0.0);
    }
    for (size_t i = 0; i < rowCount; i++) {
        const double *restrict gap = gaps + i * count;
        const double *restrict values = rows + i * count;
        for (size_t k = 0; k < count; k++) {
            const double tie = gap[k] == limit[k] ? 1.0 : 0.0;
            const double first = left[k] > 0 ? tie : 0.0;
            const double chosen = gap[k] < limit[k] ? 1.0 : first;
            left[k] = left[k] - tie;
            out[k] = out[k] + (chosen > 0 ? values[k] : 0.0);
        }
    }
    for (size_t k = 0; k < count; k++) out[k] = out[k] / keep;
}

#define VALUE float
#define STORED unaligned_float
#define TYPED(name) LEVEL(name##_f32)
#include "typed.h"
#undef VALUE
#undef STORED
#undef TYPED

#define VALUE double
#define STORED double
#define TYPED(name) LEVEL(name##_f64)
#include "typed.h"
#undef VALUE
#undef STORED
#undef TYPED
