// The kernels themselves; included once for each kind of processor, which defines AEGIS_SET.
#include <string.h>

#include "kernels.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))
#define LANES AEGIS_PRECISE_LANES
#define RECORD AEGIS_PRECISE_RECORD

// Eight numbers: one, two or four registers.
typedef double V __attribute__((vector_size(64)));
typedef long long VI __attribute__((vector_size(64)));
typedef double Memory __attribute__((vector_size(64), aligned(8), may_alias));

#define LOAD(address) (*(const Memory *)(address))
#define STORE(address, value) (*(Memory *)(address) = (value))
#define SPLAT(scalar) ((V){} + (scalar))

// high + low, where low is at most half a unit in high's last place.
typedef struct {
    V high, low;
} Pair;

typedef struct {
    Pair real, imaginary;
} Complex;

// Macros and pointers, since vectors are not passed to functions alike on all targets.
#define NORMALISED(result, a, b)                                                               \
    do {                                                                                       \
        const V n_a = (a), n_b = (b), n_sum = n_a + n_b;                                       \
        (result).low = n_b - (n_sum - n_a);                                                    \
        (result).high = n_sum;                                                                 \
    } while (0)

INLINE void add(Pair *result, const Pair *a, const Pair *b) {
    const V sum = a->high + b->high, part = sum - a->high;
    const V error = (a->high - (sum - part)) + (b->high - part);
    const V rest = a->low + b->low, part_of_rest = rest - a->low;
    const V error_of_rest = (a->low - (rest - part_of_rest)) + (b->low - part_of_rest);
    Pair first;
    NORMALISED(first, sum, error + rest);
    NORMALISED(*result, first.high, first.low + error_of_rest);
}

INLINE void subtract(Pair *result, const Pair *a, const Pair *b) {
    const Pair negative = {-b->high, -b->low};
    add(result, a, &negative);
}

INLINE void multiply(Pair *result, const Pair *a, const Pair *b) {
    const V product = a->high * b->high;
    const V error = __builtin_elementwise_fma(a->high, b->high, -product);
    NORMALISED(*result, product, error + (a->high * b->low + a->low * b->high));
}

INLINE void add_complex(Complex *result, const Complex *a, const Complex *b) {
    add(&result->real, &a->real, &b->real);
    add(&result->imaginary, &a->imaginary, &b->imaginary);
}

INLINE void subtract_complex(Complex *result, const Complex *a, const Complex *b) {
    subtract(&result->real, &a->real, &b->real);
    subtract(&result->imaginary, &a->imaginary, &b->imaginary);
}

INLINE void multiply_complex(Complex *result, const Complex *a, const Complex *b) {
    Pair first, second, third, fourth;
    multiply(&first, &a->real, &b->real);
    multiply(&second, &a->imaginary, &b->imaginary);
    multiply(&third, &a->real, &b->imaginary);
    multiply(&fourth, &a->imaginary, &b->real);
    subtract(&result->real, &first, &second);
    add(&result->imaginary, &third, &fourth);
}

INLINE void conjugate(Complex *value) {
    value->imaginary.high = -value->imaginary.high;
    value->imaginary.low = -value->imaginary.low;
}

INLINE void halve(Complex *value) {
    value->real.high *= 0.5;
    value->real.low *= 0.5;
    value->imaginary.high *= 0.5;
    value->imaginary.low *= 0.5;
}

INLINE void load(Complex *result, const double *record) {
    result->real.high = LOAD(record);
    result->real.low = LOAD(record + LANES);
    result->imaginary.high = LOAD(record + 2 * LANES);
    result->imaginary.low = LOAD(record + 3 * LANES);
}

INLINE void store(double *record, const Complex *value) {
    STORE(record, value->real.high);
    STORE(record + LANES, value->real.low);
    STORE(record + 2 * LANES, value->imaginary.high);
    STORE(record + 3 * LANES, value->imaginary.low);
}

INLINE const double *place(const double *values, size_t index) {
    return values + index / LANES * RECORD + index % LANES;
}

// One number in all lanes.
INLINE void load_same(Complex *result, const double *values, size_t index) {
    const double *found = place(values, index);
    result->real.high = SPLAT(found[0]);
    result->real.low = SPLAT(found[LANES]);
    result->imaginary.high = SPLAT(found[2 * LANES]);
    result->imaginary.low = SPLAT(found[3 * LANES]);
}

// The numbers at start, start + step, …; of an index from `wrap` on the negative of that less
// `wrap`. A step may be "negative": indices are modulo 2^64.
INLINE void load_strided(Complex *result, const double *values, size_t start, size_t step,
                         size_t wrap) {
    double parts[RECORD];
    for (size_t lane = 0; lane < LANES; lane++) {
        size_t index = start + lane * step;
        const double sign = index >= wrap ? -1 : 1;
        if (index >= wrap) index -= wrap;
        const double *found = place(values, index);
        for (size_t part = 0; part < 4; part++)
            parts[part * LANES + lane] = sign * found[part * LANES];
    }
    load(result, parts);
}

// Eight transforms of `length`, side by side, between two buffers (Stockham's radix 2). Returns the
// one in which the results are. roots[k * step] = e^(-2 pi i k / length).
static double *columns(double *x, double *y, size_t length, const double *roots, size_t step) {
    for (size_t stride = 1; length > 1; length /= 2, stride *= 2, step *= 2) {
        const size_t middle = length / 2;
        for (size_t p = 0; p < middle; p++) {
            Complex root;
            load_same(&root, roots, p * step);
            for (size_t q = 0; q < stride; q++) {
                Complex a, b, sum, difference;
                load(&a, x + (q + stride * p) * RECORD);
                load(&b, x + (q + stride * (p + middle)) * RECORD);
                add_complex(&sum, &a, &b);
                subtract_complex(&difference, &a, &b);
                multiply_complex(&difference, &difference, &root);
                store(y + (q + stride * 2 * p) * RECORD, &sum);
                store(y + (q + stride * (2 * p + 1)) * RECORD, &difference);
            }
        }
        double *const swapped = x;
        x = y;
        y = swapped;
    }
    return x;
}

// In two passes, over a matrix of `rows` times `width`: its columns, and after the twiddle factors
// those of its transpose. Eight columns stay in the cache.
static void transform(double *values, double *other, size_t length, const double *roots) {
    size_t rows = LANES;
    while (rows * rows * 4 <= length) rows *= 2;
    const size_t width = length / rows;
    const size_t longer = rows > width ? rows : width;
    double *const buffer = __builtin_malloc(2 * longer * RECORD * sizeof(double));
    if (!buffer) __builtin_trap();
    double *const spare = buffer + longer * RECORD;
    for (size_t column = 0; column < width; column += LANES) {
        for (size_t row = 0; row < rows; row++)
            memcpy(buffer + row * RECORD, place(values, row * width + column),
                   RECORD * sizeof(double));
        const double *found = columns(buffer, spare, rows, roots, 2 * width);
        for (size_t row = 0; row < rows; row++) {
            Complex value, twiddle;
            load(&value, found + row * RECORD);
            load_strided(&twiddle, roots, 2 * row * column, 2 * row, length);
            multiply_complex(&value, &value, &twiddle);
            double parts[RECORD];
            store(parts, &value);
            for (size_t lane = 0; lane < LANES; lane++) {
                double *target = (double *)place(other, (column + lane) * rows + row);
                for (size_t part = 0; part < 4; part++)
                    target[part * LANES] = parts[part * LANES + lane];
            }
        }
    }
    for (size_t column = 0; column < rows; column += LANES) {
        for (size_t row = 0; row < width; row++)
            memcpy(buffer + row * RECORD, place(other, row * rows + column),
                   RECORD * sizeof(double));
        const double *found = columns(buffer, spare, width, roots, 2 * rows);
        for (size_t row = 0; row < width; row++)
            memcpy((double *)place(values, row * rows + column), found + row * RECORD,
                   RECORD * sizeof(double));
    }
    __builtin_free(buffer);
}

static void unpack(const double *packed, double *spectrum, size_t length, const double *roots) {
    for (size_t k = 0; k <= length; k += LANES) {
        Complex here, there, even, odd, root, result;
        if (k < length) load(&here, place(packed, k));
        else load_same(&here, packed, 0);
        // The mirror image of 0 is 0 itself.
        double parts[RECORD];
        for (size_t lane = 0; lane < LANES; lane++) {
            const double *found = place(packed, (2 * length - k - lane) % length);
            for (size_t part = 0; part < 4; part++)
                parts[part * LANES + lane] = found[part * LANES];
        }
        load(&there, parts);
        conjugate(&there);
        add_complex(&even, &here, &there);
        subtract_complex(&odd, &here, &there);
        halve(&even);
        halve(&odd);
        // −i times it.
        const Complex turned = {odd.imaginary, {-odd.real.high, -odd.real.low}};
        if (k < length) {
            load(&root, place(roots, k));
            multiply_complex(&result, &turned, &root);
            add_complex(&result, &even, &result);
        } else {
            subtract_complex(&result, &even, &turned);
        }
        store((double *)place(spectrum, k), &result);
    }
}

static void pack(const double *spectrum, double *packed, size_t length, const double *roots) {
    for (size_t k = 0; k < length; k += LANES) {
        Complex here, there, even, odd, root, back, result;
        load(&here, place(spectrum, k));
        load_strided(&there, spectrum, length - k, (size_t)-1, (size_t)-1);
        conjugate(&there);
        add_complex(&even, &here, &there);
        subtract_complex(&odd, &here, &there);
        halve(&even);
        halve(&odd);
        load(&root, place(roots, k));
        conjugate(&root);
        multiply_complex(&back, &odd, &root);
        const Complex turned = {{-back.imaginary.high, -back.imaginary.low}, back.real};
        add_complex(&result, &even, &turned);
        conjugate(&result);
        store((double *)place(packed, k), &result);
    }
}

static void products(double *result, const double *large, const double *small, size_t fine,
                     size_t count) {
    for (size_t k = 0; k < count; k += LANES) {
        Complex a, b;
        load_same(&a, large, k / fine);
        load(&b, place(small, k % fine));
        multiply_complex(&a, &a, &b);
        store((double *)place(result, k), &a);
    }
}

static void multiply_by_power(double *spectrum, const double *base, size_t records,
                              unsigned long long exponent, double least) {
    for (size_t index = 0; index < records; index++) {
        double *const target = spectrum + index * RECORD;
        Complex square, result;
        load(&square, base + index * RECORD);
        const V magnitude = square.real.high * square.real.high
                            + square.imaginary.high * square.imaginary.high;
        VI kept = magnitude >= SPLAT(least);
        int any = 0;
        for (int lane = 0; lane < LANES; lane++) any |= kept[lane] != 0;
        if (!any) {
            memset(target, 0, RECORD * sizeof(double));
            continue;
        }
        result = (Complex){{SPLAT(1.0), SPLAT(0.0)}, {SPLAT(0.0), SPLAT(0.0)}};
        for (unsigned long long rest = exponent; rest > 0; rest >>= 1) {
            if (rest & 1) multiply_complex(&result, &result, &square);
            if (rest > 1) multiply_complex(&square, &square, &square);
        }
        load(&square, target);
        multiply_complex(&result, &square, &result);
        result.real.high = (V)((VI)result.real.high & kept);
        result.real.low = (V)((VI)result.real.low & kept);
        result.imaginary.high = (V)((VI)result.imaginary.high & kept);
        result.imaginary.low = (V)((VI)result.imaginary.low & kept);
        store(target, &result);
    }
}

const struct aegis_precise_kernels AEGIS_SET = {
    products, transform, unpack, pack, multiply_by_power,
};
