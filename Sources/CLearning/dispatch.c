#include <string.h>

#include "kernels.h"

// Those this processor can run, the best first.
static size_t possible(const struct aegis_kernels **sets) {
    size_t count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        sets[count++] = &aegis_kernels_avx512;
    if (avx2) sets[count++] = &aegis_kernels_avx2;
#endif
    sets[count++] = &aegis_kernels_portable;
    return count;
}

static const struct aegis_kernels *chosen(void) {
    static const struct aegis_kernels *kernels;
    const struct aegis_kernels *known = __atomic_load_n(&kernels, __ATOMIC_RELAXED);
    if (known) return known;
    const struct aegis_kernels *sets[3];
    possible(sets);
    __atomic_store_n(&kernels, sets[0], __ATOMIC_RELAXED);
    return sets[0];
}

const struct aegis_kernels *aegis_learning_kernel_set(const char *name) {
    const struct aegis_kernels *sets[3];
    const size_t count = possible(sets);
    for (size_t index = 0; index < count; index++)
        if (strcmp(sets[index]->name, name) == 0) return sets[index];
    return NULL;
}

const char *aegis_learning_kernels(void) { return chosen()->name; }

void aegis_scale_bytes(const uint8_t *source, float scale, float offset, size_t count,
                       float *result) {
    chosen()->scale_bytes(source, scale, offset, count, result);
}
void aegis_add_bias(float *values, const float *bias, size_t rows, size_t width,
                    int activation) {
    chosen()->add_bias(values, bias, rows, width, activation);
}
void aegis_activate(float *values, size_t count, int activation) {
    chosen()->activate(values, count, activation);
}
void aegis_activation_gradient(const float *result, float *gradient, size_t count,
                               int activation) {
    chosen()->activation_gradient(result, gradient, count, activation);
}
void aegis_squared_row_norms(const float *values, size_t rows, size_t width, float *norms) {
    chosen()->squared_row_norms(values, rows, width, norms);
}
float aegis_squared_norm(const float *values, size_t count) {
    return chosen()->squared_norm(values, count);
}
double aegis_product(const float *left, const float *right, size_t count) {
    return chosen()->product(left, right, count);
}
void aegis_scale_rows(float *values, const float *factors, size_t rows, size_t width) {
    chosen()->scale_rows(values, factors, rows, width);
}
void aegis_add_scaled(float *target, const float *source, float factor, size_t count) {
    chosen()->add_scaled(target, source, factor, count);
}
void aegis_add_rows(float *target, const float *values, size_t rows, size_t width) {
    chosen()->add_rows(target, values, rows, width);
}
void aegis_softmax_loss(const float *logits, const uint8_t *classes, size_t rows, size_t width,
                        float scale, float *gradient, double *loss, size_t *correct) {
    chosen()->softmax_loss(logits, classes, rows, width, scale, gradient, loss, correct);
}
void aegis_fetch(const float *values, size_t count) { chosen()->fetch(values, count); }
void aegis_zero(float *values, size_t count, int shared) {
    chosen()->zero(values, count, shared);
}
float aegis_descend_sgd(float *parameters, float *velocity, const float *gradient,
                        const float *base, float divisor, float momentum, float rate, float pull,
                        size_t count, int shared) {
    return chosen()->descend_sgd(parameters, velocity, gradient, base, divisor, momentum, rate,
                                 pull, count, shared);
}
void aegis_skinny_forward(const float *input, const float *packed, const float *bias,
                          size_t rows, size_t inputs, size_t outputs, float *output) {
    chosen()->skinny_forward(input, packed, bias, rows, inputs, outputs, output);
}
void aegis_skinny_weight_gradient(const float *input, const float *gradient, size_t rows,
                                  size_t inputs, size_t outputs, float *sum) {
    chosen()->skinny_weight_gradient(input, gradient, rows, inputs, outputs, sum);
}
void aegis_convolution_forward(const struct aegis_convolution *shape, const float *image,
                               const float *packed, const float *bias, float *output) {
    chosen()->convolution_forward(shape, image, packed, bias, output);
}
void aegis_convolution_weight_gradient(const struct aegis_convolution *shape,
                                       const float *image, const float *gradient,
                                       int accumulate, float *packed) {
    chosen()->convolution_weight_gradient(shape, image, gradient, accumulate, packed);
}
void aegis_convolution_input_gradient(const struct aegis_convolution *shape,
                                      const float *gradient, const float *turned,
                                      float *result) {
    chosen()->convolution_input_gradient(shape, gradient, turned, result);
}
void aegis_max_pool(const struct aegis_pooling *shape, const float *image, float *output) {
    chosen()->max_pool(shape, image, output);
}
void aegis_max_pool_gradient(const struct aegis_pooling *shape, const float *image,
                             const float *output, const float *gradient, float *result) {
    chosen()->max_pool_gradient(shape, image, output, gradient, result);
}

// The rest moves numbers about, once a step.

static size_t blocks(size_t count) { return (count + 15) / 16; }

size_t aegis_convolution_packed_count(const struct aegis_convolution *shape) {
    return blocks(shape->outputs) * 16 * shape->kernel * shape->kernel * shape->channels;
}

size_t aegis_convolution_turned_count(const struct aegis_convolution *shape) {
    return shape->kernel * blocks(shape->kernel * shape->channels) * 16 * shape->outputs;
}

void aegis_convolution_pack(const struct aegis_convolution *shape, const float *weight,
                            float *packed, float *turned) {
    const size_t kernel = shape->kernel, channels = shape->channels;
    const size_t taps = kernel * channels, outputs = shape->outputs;
    for (size_t i = 0; i < aegis_convolution_packed_count(shape); i++) packed[i] = 0;
    for (size_t i = 0; i < aegis_convolution_turned_count(shape); i++) turned[i] = 0;
    for (size_t output = 0; output < outputs; output++)
        for (size_t channel = 0; channel < channels; channel++)
            for (size_t row = 0; row < kernel; row++)
                for (size_t column = 0; column < kernel; column++) {
                    const float value = *weight++;
                    const size_t tap = column * channels + channel;
                    packed[((output / 16 * kernel + row) * taps + tap) * 16 + output % 16] =
                        value;
                    turned[((row * blocks(taps) + tap / 16) * outputs + output) * 16 + tap % 16] =
                        value;
                }
}

void aegis_convolution_unpack_add(const struct aegis_convolution *shape, const float *packed,
                                  float *sum) {
    const size_t kernel = shape->kernel, channels = shape->channels;
    const size_t taps = kernel * channels;
    for (size_t output = 0; output < shape->outputs; output++)
        for (size_t channel = 0; channel < channels; channel++)
            for (size_t row = 0; row < kernel; row++)
                for (size_t column = 0; column < kernel; column++) {
                    const size_t tap = column * channels + channel;
                    *sum++ +=
                        packed[((output / 16 * kernel + row) * taps + tap) * 16 + output % 16];
                }
}
