// Kernels over rows of one element type: VALUE, stored as STORED with any alignment. Included
// for float32 and for binary64, within each level.

#define STEP 128
#define FEW_ROWS 16

// Asks for the part of a row that comes next, while the one before it is added up.
static inline void TYPED(ask)(
    const void *const *rows, size_t rowCount, size_t row, size_t start, size_t count, size_t block
) {
    const size_t end = block + STEP < count ? block + STEP : count;
    // After the last row comes the first one's next part, where it has one: asking is harmless.
    const size_t first = row - rowCount < rowCount ? row - rowCount : 0;
    const uintptr_t next = row < rowCount
        ? (uintptr_t)rows[row] + start * sizeof(STORED)
        : (uintptr_t)rows[first] + (start + count) * sizeof(STORED);
    for (size_t k = block; k < end; k += 64 / sizeof(STORED))
        __builtin_prefetch((const void *)(next + k * sizeof(STORED)), 0, 2);
}

static void TYPED(combine)(
    const void *const *rows, const double *weights, size_t rowCount, size_t start, size_t count,
    double divisor, double *restrict out
) {
    if (sizeof(STORED) == sizeof(float) && rowCount <= FEW_ROWS) {
        LEVEL(combine_few)(rows, weights, rowCount, start, count, divisor, out);
        return;
    }
    for (size_t k = 0; k < count; k++) out[k] = 0;
    size_t i = 0;
    // Four rows at once save loads and stores of the sums; the order of additions is the same.
    for (; i + 4 <= rowCount; i += 4) {
        const STORED *restrict a = (const STORED *)rows[i] + start;
        const STORED *restrict b = (const STORED *)rows[i + 1] + start;
        const STORED *restrict c = (const STORED *)rows[i + 2] + start;
        const STORED *restrict d = (const STORED *)rows[i + 3] + start;
        for (size_t block = 0; block < count; block += STEP) {
            const size_t end = block + STEP < count ? block + STEP : count;
            // Rows of binary64 are made block by block: they are near already.
            if (sizeof(STORED) == sizeof(float))
                for (size_t next = i + 4; next < i + 8; next++)
                    TYPED(ask)(rows, rowCount, next, start, count, block);
            if (weights == NULL) {
                for (size_t k = block; k < end; k++)
                    out[k] =
                        (((out[k] + (double)a[k]) + (double)b[k]) + (double)c[k]) + (double)d[k];
            } else {
                const double p = weights[i], q = weights[i + 1];
                const double r = weights[i + 2], s = weights[i + 3];
                for (size_t k = block; k < end; k++)
                    out[k] = (((out[k] + p * (double)a[k]) + q * (double)b[k])
                                 + r * (double)c[k])
                        + s * (double)d[k];
            }
        }
    }
    for (; i < rowCount; i++) {
        const STORED *restrict a = (const STORED *)rows[i] + start;
        const double p = weights == NULL ? 1 : weights[i];
        for (size_t k = 0; k < count; k++) out[k] = out[k] + p * (double)a[k];
    }
    if (divisor != 1) {
        for (size_t k = 0; k < count; k++) out[k] = out[k] / divisor;
    }
}

static void TYPED(sort)(
    VALUE *rows, size_t count, const uint16_t *network, size_t comparators
) {
    for (size_t c = 0; c < comparators; c++) {
        VALUE *restrict low = rows + network[2 * c] * count;
        VALUE *restrict high = rows + network[2 * c + 1] * count;
        for (size_t k = 0; k < count; k++) {
            const VALUE a = low[k], b = high[k];
            low[k] = a < b ? a : b;
            high[k] = a < b ? b : a;
        }
    }
}

static size_t TYPED(outside)(
    const void *row, size_t count, const VALUE *restrict low, const VALUE *restrict high
) {
    const STORED *restrict values = row;
    uint32_t outside = 0;
    for (size_t k = 0; k < count; k++) {
        const VALUE value = values[k];
        outside += (uint32_t)((value < low[k]) | (value > high[k]));
    }
    return outside;
}
