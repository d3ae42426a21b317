// Kernels of AegisLearning. Each has one source, compiled for AVX-512, AVX2 with FMA and for any
// processor; which runs is decided once, at the first call. Their results differ in the last bits
// between processors: only training uses them, which one node does alone.
//
// Matrices are row-major. Images are [row][column][channel]. No pointer needs an alignment; no
// function allocates.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Nullability is left open: every pointer is the caller's to guarantee.

enum { AEGIS_LINEAR = 0, AEGIS_RELU = 1, AEGIS_TANH = 2 };

/// "avx512", "avx2" or "portable".
const char *aegis_learning_kernels(void);

/// result[i] = source[i] · scale + offset
void aegis_scale_bytes(const uint8_t *source, float scale, float offset, size_t count,
                       float *result);
/// Each row of values: + bias, then the activation.
void aegis_add_bias(float *values, const float *bias, size_t rows, size_t width, int activation);
/// values ← activation(values)
void aegis_activate(float *values, size_t count, int activation);
/// gradient[i] ·= the activation's slope, from its result.
void aegis_activation_gradient(const float *result, float *gradient, size_t count,
                               int activation);
/// norms[i] = ‖row i‖²
void aegis_squared_row_norms(const float *values, size_t rows, size_t width, float *norms);
float aegis_squared_norm(const float *values, size_t count);
/// Σ left[i] · right[i], in binary64.
double aegis_product(const float *left, const float *right, size_t count);
/// Row i ·= factors[i].
void aegis_scale_rows(float *values, const float *factors, size_t rows, size_t width);
/// target += factor · source
void aegis_add_scaled(float *target, const float *source, float factor, size_t count);
/// target[j] += Σ over rows of values[row][j]
void aegis_add_rows(float *target, const float *values, size_t rows, size_t width);
/// Cross-entropy of each row's softmax at its class: the gradient at the logits times `scale`,
/// the sum of the losses, and in how many rows the class scores highest.
void aegis_softmax_loss(const float *logits, const uint8_t *classes, size_t rows, size_t width,
                        float scale, float *gradient, double *loss, size_t *correct);

/// Brings values that another thread has written nearer, many lines at once.
void aegis_fetch(const float *values, size_t count);
/// values ← 0. `shared`: another thread has read them, or will.
void aegis_zero(float *values, size_t count, int shared);
/// velocity ← momentum · velocity + gradient · divisor + pull · (parameters − base);
/// parameters ← parameters − rate · velocity.  `base` may be null where pull is 0. `shared`: other
/// threads read the parameters next. Returns the sum of their squares, which is no finite number
/// where one of them is none.
float aegis_descend_sgd(float *parameters, float *velocity, const float *gradient,
                        const float *base, float divisor, float momentum, float rate, float pull,
                        size_t count, int shared);

/// A dense layer of at most 16 outputs. `packed` is [inputs][16], zero beyond the outputs.
void aegis_skinny_forward(const float *input, const float *packed, const float *bias,
                          size_t rows, size_t inputs, size_t outputs, float *output);
/// sum ([inputs][16]) += inputᵀ · gradient
void aegis_skinny_weight_gradient(const float *input, const float *gradient, size_t rows,
                                  size_t inputs, size_t outputs, float *sum);

/// A convolution of one image, which is padded already.
struct aegis_convolution {
    /// Of the padded image.
    size_t width, channels;
    size_t kernel, stride;
    size_t outputs, output_height, output_width;
};
/// Floats of packed weights: [⌈outputs/16⌉][kernel][kernel · channels][16].
size_t aegis_convolution_packed_count(const struct aegis_convolution *);
/// Of weights packed for the input's gradient: [kernel][⌈kernel · channels/16⌉][outputs][16].
size_t aegis_convolution_turned_count(const struct aegis_convolution *);
/// From [outputs][channels][kernel][kernel].
void aegis_convolution_pack(const struct aegis_convolution *, const float *weight, float *packed,
                            float *turned);
/// sum, in PyTorch's order, += packed
void aegis_convolution_unpack_add(const struct aegis_convolution *, const float *packed,
                                  float *sum);
void aegis_convolution_forward(const struct aegis_convolution *, const float *image,
                               const float *packed, const float *bias, float *output);
/// packed (+)= the weight's gradient of this image.
void aegis_convolution_weight_gradient(const struct aegis_convolution *, const float *image,
                                       const float *gradient, int accumulate, float *packed);
/// Adds to `result`, of the padded image's size and 16 floats more.
void aegis_convolution_input_gradient(const struct aegis_convolution *, const float *gradient,
                                      const float *turned, float *result);

/// Pooling of one image with `channels` values a point.
struct aegis_pooling {
    size_t width, channels, size, stride, output_height, output_width;
};
void aegis_max_pool(const struct aegis_pooling *, const float *image, float *output);
/// Adds to `result`.
void aegis_max_pool_gradient(const struct aegis_pooling *, const float *image,
                             const float *output, const float *gradient, float *result);

/// Threads that sleep while there is nothing to do.
struct aegis_pool;
/// With so many threads besides the caller's; null if they can't be had.
struct aegis_pool *aegis_pool_create(size_t threads);
/// Calls work(context, 0 …< parts), one part on each thread and part 0 on the caller's, and
/// returns when all have. `parts` is at most threads + 1.
void aegis_pool_run(struct aegis_pool *, size_t parts, void (*work)(void *context, size_t part),
                    void *context);
/// In a work of aegis_pool_run: returns when all parts of it have called. Each calls equally often.
void aegis_pool_meet(struct aegis_pool *);
void aegis_pool_destroy(struct aegis_pool *);

// Every kernel that is compiled once for each kind of processor: result, name, parameters.
#define AEGIS_KERNELS(KERNEL) \
    KERNEL(void, scale_bytes, (const uint8_t *, float, float, size_t, float *)) \
    KERNEL(void, add_bias, (float *, const float *, size_t, size_t, int)) \
    KERNEL(void, activate, (float *, size_t, int)) \
    KERNEL(void, activation_gradient, (const float *, float *, size_t, int)) \
    KERNEL(void, squared_row_norms, (const float *, size_t, size_t, float *)) \
    KERNEL(float, squared_norm, (const float *, size_t)) \
    KERNEL(double, product, (const float *, const float *, size_t)) \
    KERNEL(void, scale_rows, (float *, const float *, size_t, size_t)) \
    KERNEL(void, add_scaled, (float *, const float *, float, size_t)) \
    KERNEL(void, add_rows, (float *, const float *, size_t, size_t)) \
    KERNEL(void, softmax_loss, \
                 (const float *, const uint8_t *, size_t, size_t, float, float *, double *, size_t *)) \
    KERNEL(void, fetch, (const float *, size_t)) \
    KERNEL(void, zero, (float *, size_t, int)) \
    KERNEL(float, descend_sgd, \
                 (float *, float *, const float *, const float *, float, float, float, float, size_t, \
                  int)) \
    KERNEL(void, skinny_forward, \
                 (const float *, const float *, const float *, size_t, size_t, size_t, float *)) \
    KERNEL(void, skinny_weight_gradient, \
                 (const float *, const float *, size_t, size_t, size_t, float *)) \
    KERNEL(void, convolution_forward, \
                 (const struct aegis_convolution *, const float *, const float *, const float *, \
                  float *)) \
    KERNEL(void, convolution_weight_gradient, \
                 (const struct aegis_convolution *, const float *, const float *, int, float *)) \
    KERNEL(void, convolution_input_gradient, \
                 (const struct aegis_convolution *, const float *, const float *, float *)) \
    KERNEL(void, max_pool, (const struct aegis_pooling *, const float *, float *)) \
    KERNEL(void, max_pool_gradient, \
                 (const struct aegis_pooling *, const float *, const float *, const float *, float *))

/// The kernels for one kind of processor.
struct aegis_kernels {
    const char *name;
#define AEGIS_FIELD(result, name, parameters) result (*name) parameters;
    AEGIS_KERNELS(AEGIS_FIELD)
#undef AEGIS_FIELD
};

/// Those by this name; null where this processor can't run them. For tests: the functions above
/// choose by themselves.
const struct aegis_kernels *aegis_learning_kernel_set(const char *name);
