// The kernels themselves; included once for each kind of processor, which defines AEGIS_SET,
// AEGIS_SET_NAME and MULTIPLY_ADD(a, b, c) = a · b + c.
#include <string.h>

#include "kernels.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))
#define LANES 16

// Sixteen numbers: one, two or four registers. The memory's type needs no alignment.
typedef float V __attribute__((vector_size(64)));
typedef int32_t VI __attribute__((vector_size(64)));
typedef float Memory __attribute__((vector_size(64), aligned(4), may_alias));

#define LOAD(address) (*(const Memory *)(address))
#define STORE(address, value) (*(Memory *)(address) = (value))
#define SPLAT(scalar) ((V){} + (scalar))
#define SELECT(mask, yes, no) ((V)(((VI)(yes) & (mask)) | ((VI)(no) & ~(mask))))

// The first `count` of 16 numbers, the others zero.
#define LOAD_PART(result, address, count)                                                      \
    V result = {};                                                                             \
    memcpy(&result, address, (count) * sizeof(float))
#define STORE_PART(address, value, count)                                                      \
    do {                                                                                       \
        const V stored_part = (value);                                                         \
        memcpy(address, &stored_part, (count) * sizeof(float));                                \
    } while (0)

// `body` makes `x` of the numbers at `values`, 16 at a time.
#define FOR_EACH(values, count, body)                                                          \
    do {                                                                                       \
        size_t i = 0;                                                                          \
        for (; i + LANES <= (count); i += LANES) {                                             \
            V x = LOAD((values) + i);                                                          \
            body;                                                                              \
            STORE((values) + i, x);                                                            \
        }                                                                                      \
        for (; i < (count); i += LANES) {                                                      \
            const size_t rest = (count) - i;                                                   \
            LOAD_PART(x, (values) + i, rest);                                                  \
            body;                                                                              \
            STORE_PART((values) + i, x, rest);                                                 \
        }                                                                                      \
    } while (0)

#define TOTAL(vector)                                                                          \
    ({                                                                                         \
        const V total_of = (vector);                                                           \
        float total = 0;                                                                       \
        for (int lane = 0; lane < LANES; lane++) total += total_of[lane];                      \
        total;                                                                                 \
    })

// e^x for x ≤ 88, by 2^n and a Taylor series on ±ln 2 / 2: 2 ulp. Below −87 it is about e^−87.
#define EXPONENTIAL(result, argument)                                                          \
    V result;                                                                                  \
    do {                                                                                       \
        V e = (argument);                                                                      \
        e = SELECT(e < SPLAT(-87.0f), SPLAT(-87.0f), e);                                       \
        /* Adding 1.5 · 2²³ rounds to a whole number, which is then in the low bits. */        \
        const V shifted = MULTIPLY_ADD(e, SPLAT(1.44269504088896341f), SPLAT(12582912.0f));    \
        const V whole = shifted - SPLAT(12582912.0f);                                          \
        V rest = MULTIPLY_ADD(whole, SPLAT(-0.693145751953125f), e);                           \
        rest = MULTIPLY_ADD(whole, SPLAT(-1.42860682030941723e-6f), rest);                     \
        V series = SPLAT(1.0f / 5040);                                                         \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f / 720));                                \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f / 120));                                \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f / 24));                                 \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f / 6));                                  \
        series = MULTIPLY_ADD(series, rest, SPLAT(0.5f));                                      \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f));                                      \
        series = MULTIPLY_ADD(series, rest, SPLAT(1.0f));                                      \
        result = SELECT(e == e, (V)((VI)series + (((VI)shifted) << 23)), e);                   \
    } while (0)

// tanh |x| = (1 − e^−2|x|) / (1 + e^−2|x|); 10⁻⁷ absolute, NaN stays NaN.
#define HYPERBOLIC_TANGENT(x)                                                                  \
    do {                                                                                       \
        const VI sign = (VI)(x) & (int32_t)0x80000000;                                         \
        const V magnitude = (V)((VI)(x) & 0x7fffffff);                                         \
        EXPONENTIAL(power, magnitude * SPLAT(-2.0f));                                          \
        const V tangent = (SPLAT(1.0f) - power) / (SPLAT(1.0f) + power);                       \
        x = (V)((VI)tangent | sign);                                                           \
    } while (0)

static void scale_bytes(const uint8_t *source, float scale, float offset, size_t count,
                        float *result) {
    typedef uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const V x = __builtin_convertvector(
            __builtin_convertvector(*(const Bytes *)(source + i), VI), V);
        STORE(result + i, MULTIPLY_ADD(x, SPLAT(scale), SPLAT(offset)));
    }
    for (; i < count; i++) result[i] = (float)source[i] * scale + offset;
}

#define RECTIFIED(x) SELECT((x) > (V){} | (x) != (x), x, (V){})

static void activate(float *values, size_t count, int activation) {
    if (activation == AEGIS_RELU) FOR_EACH(values, count, x = RECTIFIED(x));
    if (activation == AEGIS_TANH) FOR_EACH(values, count, HYPERBOLIC_TANGENT(x));
}

static void add_bias(float *values, const float *bias, size_t rows, size_t width,
                     int activation) {
    for (size_t row = 0; row < rows; row++, values += width) {
        size_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            V x = LOAD(values + i) + LOAD(bias + i);
            if (activation == AEGIS_RELU) x = RECTIFIED(x);
            STORE(values + i, x);
        }
        for (; i < width; i++) {
            const float x = values[i] + bias[i];
            values[i] = activation == AEGIS_RELU && x <= 0 ? 0 : x;
        }
        if (activation == AEGIS_TANH) activate(values, width, AEGIS_TANH);
    }
}

static void activation_gradient(const float *result, float *gradient, size_t count,
                                int activation) {
    if (activation == AEGIS_RELU) {
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) {
            const VI on = LOAD(result + i) > (V){};
            STORE(gradient + i, (V)((VI)LOAD(gradient + i) & on));
        }
        for (; i < count; i++) gradient[i] = result[i] > 0 ? gradient[i] : 0;
    }
    if (activation == AEGIS_TANH) {
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) {
            const V y = LOAD(result + i);
            STORE(gradient + i, LOAD(gradient + i) * (SPLAT(1.0f) - y * y));
        }
        for (; i < count; i++) gradient[i] *= 1 - result[i] * result[i];
    }
}

static float squared_norm(const float *values, size_t count) {
    V a = {}, b = {}, c = {}, d = {};
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        const V w = LOAD(values + i), x = LOAD(values + i + LANES);
        const V y = LOAD(values + i + 2 * LANES), z = LOAD(values + i + 3 * LANES);
        a = MULTIPLY_ADD(w, w, a);
        b = MULTIPLY_ADD(x, x, b);
        c = MULTIPLY_ADD(y, y, c);
        d = MULTIPLY_ADD(z, z, d);
    }
    for (; i + LANES <= count; i += LANES) {
        const V x = LOAD(values + i);
        a = MULTIPLY_ADD(x, x, a);
    }
    if (i < count) {
        LOAD_PART(x, values + i, count - i);
        b = MULTIPLY_ADD(x, x, b);
    }
    return TOTAL((a + b) + (c + d));
}

static void squared_row_norms(const float *values, size_t rows, size_t width, float *norms) {
    for (size_t row = 0; row < rows; row++) norms[row] = squared_norm(values + row * width, width);
}

static double product(const float *left, const float *right, size_t count) {
    typedef double D __attribute__((vector_size(64)));
    typedef float Half __attribute__((vector_size(32), aligned(4), may_alias));
    D a = {}, b = {};
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        a += __builtin_convertvector(*(const Half *)(left + i), D)
             * __builtin_convertvector(*(const Half *)(right + i), D);
        b += __builtin_convertvector(*(const Half *)(left + i + 8), D)
             * __builtin_convertvector(*(const Half *)(right + i + 8), D);
    }
    a += b;
    double total = 0;
    for (int lane = 0; lane < 8; lane++) total += a[lane];
    for (; i < count; i++) total += (double)left[i] * (double)right[i];
    return total;
}

static void scale_rows(float *values, const float *factors, size_t rows, size_t width) {
    for (size_t row = 0; row < rows; row++) {
        const V factor = SPLAT(factors[row]);
        FOR_EACH(values + row * width, width, x = x * factor);
    }
}

static void add_scaled(float *target, const float *source, float factor, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        STORE(target + i, MULTIPLY_ADD(LOAD(source + i), SPLAT(factor), LOAD(target + i)));
    for (; i < count; i++) target[i] += source[i] * factor;
}

static void add_rows(float *target, const float *values, size_t rows, size_t width) {
    for (size_t i = 0; i < width; i += LANES) {
        const size_t rest = width - i < LANES ? width - i : LANES;
        LOAD_PART(sum, target + i, rest);
        if (rest == LANES)
            for (size_t row = 0; row < rows; row++) sum += LOAD(values + row * width + i);
        else
            for (size_t row = 0; row < rows; row++) {
                LOAD_PART(x, values + row * width + i, rest);
                sum += x;
            }
        STORE_PART(target + i, sum, rest);
    }
}

static void softmax_loss(const float *logits, const uint8_t *classes, size_t rows, size_t width,
                         float scale, float *gradient, double *loss, size_t *correct) {
    for (size_t row = 0; row < rows; row++, logits += width, gradient += width) {
        const size_t class = classes[row];
        size_t best = 0;
        for (size_t i = 1; i < width; i++)
            if (logits[i] > logits[best]) best = i;
        const float largest = logits[best];
        float sum = 0;
        for (size_t i = 0; i < width; i += LANES) {
            const size_t rest = width - i < LANES ? width - i : LANES;
            LOAD_PART(x, logits + i, rest);
            EXPONENTIAL(power, x - SPLAT(largest));
            STORE_PART(gradient + i, power, rest);
            for (size_t lane = 0; lane < rest; lane++) sum += power[lane];
        }
        *loss += (double)(__builtin_logf(sum) - (logits[class] - largest));
        *correct += best == class;
        const V share = SPLAT(scale / sum);
        FOR_EACH(gradient, width, x = x * share);
        gradient[class] -= scale;
    }
}

// Numbers that another core reads next, or has read: stored past the caches, as to take a line back
// from another core is dearer than to fetch it from memory. Nothing is written this way that is not
// on a line of its own.
#define STORE_SHARED(address, value) __builtin_nontemporal_store((value), (V *)(address))

INLINE int may_share(const float *values, int shared) {
    return shared && (uintptr_t)values % sizeof(V) == 0;
}

// What was stored past the caches is seen by who is told of it after this.
INLINE void finish_sharing(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

static void fetch(const float *values, size_t count) {
    for (size_t i = 0; i < count; i += LANES) __builtin_prefetch(values + i, 0, 2);
}

static void zero(float *values, size_t count, int shared) {
    if (!may_share(values, shared)) {
        memset(values, 0, count * sizeof(float));
        return;
    }
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) STORE_SHARED(values + i, (V){});
    for (; i < count; i++) values[i] = 0;
    finish_sharing();
}

INLINE float descend(const int shared, float *parameters, float *velocity, const float *gradient,
                     const float *base, float divisor, float momentum, float rate, float pull,
                     size_t count) {
    V squares = {};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        V v = MULTIPLY_ADD(LOAD(velocity + i), SPLAT(momentum),
                           LOAD(gradient + i) * SPLAT(divisor));
        const V p = LOAD(parameters + i);
        if (pull != 0) v = MULTIPLY_ADD(p - LOAD(base + i), SPLAT(pull), v);
        STORE(velocity + i, v);
        const V next = MULTIPLY_ADD(v, SPLAT(-rate), p);
        squares = MULTIPLY_ADD(next, next, squares);
        if (shared) {
            STORE_SHARED(parameters + i, next);
        } else {
            STORE(parameters + i, next);
        }
    }
    float rest = 0;
    for (; i < count; i++) {
        velocity[i] = momentum * velocity[i] + gradient[i] * divisor;
        if (pull != 0) velocity[i] += pull * (parameters[i] - base[i]);
        parameters[i] -= rate * velocity[i];
        rest += parameters[i] * parameters[i];
    }
    if (shared) finish_sharing();
    return TOTAL(squares) + rest;
}

static float descend_sgd(float *parameters, float *velocity, const float *gradient,
                         const float *base, float divisor, float momentum, float rate, float pull,
                         size_t count, int shared) {
    return may_share(parameters, shared)
               ? descend(1, parameters, velocity, gradient, base, divisor, momentum, rate, pull,
                         count)
               : descend(0, parameters, velocity, gradient, base, divisor, momentum, rate, pull,
                         count);
}

// MARK: Dense layers of few outputs

INLINE void skinny_forward_rows(const int rows, const float *input, const float *packed,
                                const float *bias, size_t inputs, size_t outputs,
                                float *output) {
    V sums[8];
    LOAD_PART(first, bias, outputs);
    for (int row = 0; row < rows; row++) sums[row] = first;
    for (size_t i = 0; i < inputs; i++) {
        const V weights = LOAD(packed + i * LANES);
        for (int row = 0; row < rows; row++)
            sums[row] = MULTIPLY_ADD(SPLAT(input[row * inputs + i]), weights, sums[row]);
    }
    for (int row = 0; row < rows; row++) STORE_PART(output + row * outputs, sums[row], outputs);
}

static void skinny_forward(const float *input, const float *packed, const float *bias,
                           size_t rows, size_t inputs, size_t outputs, float *output) {
    size_t row = 0;
    for (; row + 8 <= rows; row += 8)
        skinny_forward_rows(8, input + row * inputs, packed, bias, inputs, outputs,
                            output + row * outputs);
    for (; row < rows; row++)
        skinny_forward_rows(1, input + row * inputs, packed, bias, inputs, outputs,
                            output + row * outputs);
}

INLINE void skinny_weight_gradient_rows(const int rows, const float *input,
                                        const float *gradient, size_t inputs, size_t outputs,
                                        float *sum) {
    V gradients[16];
    for (int row = 0; row < rows; row++) {
        LOAD_PART(g, gradient + row * outputs, outputs);
        gradients[row] = g;
    }
    for (size_t i = 0; i < inputs; i++) {
        V even = LOAD(sum + i * LANES), odd = {};
        for (int row = 0; row < rows; row += 2) {
            even = MULTIPLY_ADD(SPLAT(input[row * inputs + i]), gradients[row], even);
            if (row + 1 < rows)
                odd = MULTIPLY_ADD(SPLAT(input[(row + 1) * inputs + i]), gradients[row + 1], odd);
        }
        STORE(sum + i * LANES, even + odd);
    }
}

static void skinny_weight_gradient(const float *input, const float *gradient, size_t rows,
                                   size_t inputs, size_t outputs, float *sum) {
    size_t row = 0;
    for (; row + 16 <= rows; row += 16)
        skinny_weight_gradient_rows(16, input + row * inputs, gradient + row * outputs, inputs,
                                    outputs, sum);
    for (; row + 4 <= rows; row += 4)
        skinny_weight_gradient_rows(4, input + row * inputs, gradient + row * outputs, inputs,
                                    outputs, sum);
    for (; row < rows; row++)
        skinny_weight_gradient_rows(1, input + row * inputs, gradient + row * outputs, inputs,
                                    outputs, sum);
}

#include "image_kernels.h"

const struct aegis_kernels AEGIS_SET = {
    .name = AEGIS_SET_NAME,
#define AEGIS_VALUE(result, name, parameters) .name = name,
    AEGIS_KERNELS(AEGIS_VALUE)
#undef AEGIS_VALUE
};
