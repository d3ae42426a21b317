// Prints a fingerprint of what every kernel computes, one line for each level this processor has.
#include "CAggregation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { rows = 9, width = 1008, comparators = 36 };

static uint64_t print = 0xcbf29ce484222325u;

static void take(const void *bytes, size_t size) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++) print = (print ^ byte[i]) * 0x100000001b3u;
}

int main(void) {
    // Odd addresses on purpose, and values of many sizes.
    static char memory[rows][4 * width + 1];
    const void *updates[rows], *wide[rows], *sorted[rows];
    static double values[rows * width], copy[rows * width], weights[rows * width];
    static float floats[rows * width], rounded[width];
    static double out[width], more[width], lanes[8 * rows * rows];
    uint64_t state = 1;
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < width; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const float value = (float)(int32_t)(state >> 32) * 0x1p-31f
                * (float)(1u << (state >> 7 & 15));
            memcpy(memory[i] + 1 + 4 * k, &value, 4);
        }
        updates[i] = memory[i] + 1;
        wide[i] = values + i * width;
        sorted[i] = floats + i * width;
    }
    // Every pair in turn sorts.
    uint16_t network[2 * comparators];
    size_t next = 0;
    for (uint16_t i = 0; i < rows; i++)
        for (uint16_t j = i + 1; j < rows; j++) {
            network[next++] = i;
            network[next++] = j;
        }
    double factors[rows];
    for (size_t i = 0; i < rows; i++) factors[i] = 1.0 / (double)(i + 3);

    for (int number = 0; number <= (int)aggregation_level_here(); number++) {
        const aggregation_level level = (aggregation_level)number;
        print = 0xcbf29ce484222325u;
        memset(out, 0, sizeof out);
        for (size_t i = 0; i < rows; i++) {
            aggregation_widen(level, updates[i], width, values + i * width);
            aggregation_copy(level, updates[i], width, floats + i * width);
        }
        take(values, sizeof values);
        aggregation_combine_f32(level, updates, NULL, rows, 3, width - 3, 7, out);
        take(out, sizeof out);
        aggregation_combine_f32(level, updates, factors, rows, 0, width, 1, out);
        aggregation_combine_f64(level, wide, factors, rows, 0, width, 3, more);
        take(out, sizeof out);
        take(more, sizeof more);
        memset(lanes, 0, sizeof lanes);
        aggregation_pairs(level, values, width, rows, 0, rows, width, lanes);
        aggregation_pairs(level, values, width, rows, 2, 5, width - 8, lanes);
        take(lanes, sizeof lanes);
        memset(lanes, 0, sizeof lanes);
        aggregation_squares(level, values, width, rows, width, more, lanes);
        aggregation_products(level, values, width, rows, width, more, lanes);
        take(lanes, sizeof lanes);
        memcpy(copy, values, sizeof copy);
        aggregation_sort_f64(level, copy, width, network, comparators);
        aggregation_sort_f32(level, floats, width, network, comparators);
        aggregation_combine_f32(level, sorted + 2, NULL, rows - 4, 0, width, rows - 4, out);
        aggregation_round(level, out, width, rounded);
        take(copy, sizeof copy);
        take(rounded, sizeof rounded);
        for (size_t i = 0; i < rows; i++) {
            const size_t outside = aggregation_outside_f32(
                                       level, updates[i], width, floats + 2 * width,
                                       floats + 6 * width)
                + aggregation_outside_f64(
                    level, values + i * width, width, copy + 3 * width, copy + 5 * width);
            take(&outside, sizeof outside);
            aggregation_gaps(level, values + i * width, width, out, weights + i * width);
        }
        memcpy(copy, weights, sizeof copy);
        aggregation_sort_f64(level, copy, width, network, comparators);
        aggregation_nearest(
            level, values, rows, width, weights, copy + 5 * width, 6, more, out);
        take(out, sizeof out);
        memcpy(copy, values, sizeof copy);
        for (size_t i = 0; i < rows * width; i++) weights[i] = (double)(1 + i / width);
        aggregation_sort_weighted(level, copy, weights, width, network, comparators);
        aggregation_weighted_middle(level, copy, weights, rows, width, 9, 36, more, out);
        take(out, sizeof out);
        aggregation_weighted_middle(level, copy, weights, rows, width, 22.5, 22.5, more, out);
        take(out, sizeof out);
        printf("%016llx\n", (unsigned long long)print);
    }
    return 0;
}
