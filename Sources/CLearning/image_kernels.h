// Convolutions and pooling; part of kernel_bodies.h.
//
// In [row][column][channel] order the taps of one row of the kernel, all its columns and channels,
// are neighbours in the image. So no image is unrolled into a matrix: a sum runs over these taps,
// with 16 outputs a vector and as many positions at once as there are registers.

INLINE size_t block_count(size_t count) { return (count + LANES - 1) / LANES; }

// MARK: Forward

INLINE void convolution_forward_points(const int points, const int blocks, size_t outputs,
                                       const struct aegis_convolution *shape,
                                       const float *image, const float *packed,
                                       const float *bias, float *output) {
    const size_t taps = shape->kernel * shape->channels;
    const size_t step = shape->stride * shape->channels;
    const size_t row = shape->width * shape->channels;
    const size_t block = shape->kernel * taps * LANES;
    V sums[2][12];
    for (int b = 0; b < blocks; b++) {
        const size_t rest = outputs - b * LANES < LANES ? outputs - b * LANES : LANES;
        LOAD_PART(first, bias + b * LANES, rest);
        for (int point = 0; point < points; point++) sums[b][point] = first;
    }
    for (size_t y = 0; y < shape->kernel; y++) {
        const float *values = image + y * row;
        const float *weights = packed + y * taps * LANES;
        for (size_t tap = 0; tap < taps; tap++) {
            V w[2];
            for (int b = 0; b < blocks; b++) w[b] = LOAD(weights + b * block + tap * LANES);
            for (int point = 0; point < points; point++) {
                const V x = SPLAT(values[point * step + tap]);
                for (int b = 0; b < blocks; b++)
                    sums[b][point] = MULTIPLY_ADD(x, w[b], sums[b][point]);
            }
        }
    }
    for (int b = 0; b < blocks; b++) {
        const size_t rest = outputs - b * LANES < LANES ? outputs - b * LANES : LANES;
        for (int point = 0; point < points; point++) {
            float *target = output + point * shape->outputs + b * LANES;
            if (rest == LANES) STORE(target, sums[b][point]);
            else STORE_PART(target, sums[b][point], rest);
        }
    }
}

INLINE void convolution_forward_row(const int blocks, size_t outputs,
                                    const struct aegis_convolution *shape, const float *image,
                                    const float *packed, const float *bias, float *output) {
    const size_t step = shape->stride * shape->channels;
    size_t x = 0;
#define POINTS(count)                                                                          \
    for (; x + count <= shape->output_width; x += count)                                       \
        convolution_forward_points(count, blocks, outputs, shape, image + x * step, packed,    \
                                   bias, output + x * shape->outputs);
    if (blocks == 1) {
        if (shape->output_width % 12 != 0) POINTS(7)
        POINTS(12)
    }
    POINTS(5)
    POINTS(4)
    POINTS(1)
#undef POINTS
}

static void convolution_forward(const struct aegis_convolution *shape, const float *image,
                                const float *packed, const float *bias, float *output) {
    const size_t block = shape->kernel * shape->kernel * shape->channels * LANES;
    const size_t row = shape->stride * shape->width * shape->channels;
    for (size_t first = 0; first < shape->outputs;) {
        const size_t left = shape->outputs - first;
        for (size_t y = 0; y < shape->output_height; y++) {
            float *target = output + y * shape->output_width * shape->outputs + first;
            const float *weights = packed + first / LANES * block;
            if (left > LANES)
                convolution_forward_row(2, left, shape, image + y * row, weights, bias + first,
                                        target);
            else
                convolution_forward_row(1, left, shape, image + y * row, weights, bias + first,
                                        target);
        }
        first += left > LANES ? 2 * LANES : LANES;
    }
}

// MARK: Gradient of the weight

INLINE void weight_gradient_taps(const int taps, const int blocks, size_t outputs,
                                 const struct aegis_convolution *shape, const float *image,
                                 const float *gradient, int accumulate, float *packed) {
    const size_t step = shape->stride * shape->channels;
    const size_t row = shape->stride * shape->width * shape->channels;
    const size_t block = shape->kernel * shape->kernel * shape->channels * LANES;
    V sums[2][12];
    for (int b = 0; b < blocks; b++)
        for (int tap = 0; tap < taps; tap++) sums[b][tap] = (V){};
    const size_t rest = outputs - (blocks - 1) * LANES;
    for (size_t y = 0; y < shape->output_height; y++) {
        const float *values = image + y * row;
        for (size_t x = 0; x < shape->output_width; x++, values += step) {
            V g[2];
            if (blocks == 2) g[0] = LOAD(gradient);
            const float *last = gradient + (blocks - 1) * LANES;
            if (rest >= LANES) {
                g[blocks - 1] = LOAD(last);
            } else {
                LOAD_PART(part, last, rest);
                g[blocks - 1] = part;
            }
            for (int tap = 0; tap < taps; tap++) {
                const V value = SPLAT(values[tap]);
                for (int b = 0; b < blocks; b++)
                    sums[b][tap] = MULTIPLY_ADD(value, g[b], sums[b][tap]);
            }
            gradient += shape->outputs;
        }
    }
    for (int b = 0; b < blocks; b++)
        for (int tap = 0; tap < taps; tap++) {
            float *target = packed + b * block + tap * LANES;
            STORE(target, accumulate ? LOAD(target) + sums[b][tap] : sums[b][tap]);
        }
}

static void convolution_weight_gradient(const struct aegis_convolution *shape,
                                        const float *image, const float *gradient,
                                        int accumulate, float *packed) {
    const size_t taps = shape->kernel * shape->channels;
    const size_t block = shape->kernel * taps * LANES;
    for (size_t first = 0; first < shape->outputs;) {
        const size_t left = shape->outputs - first;
        for (size_t y = 0; y < shape->kernel; y++) {
            const float *values = image + y * shape->width * shape->channels;
            float *target = packed + first / LANES * block + y * taps * LANES;
            size_t tap = 0;
#define TAPS(count, blocks)                                                                    \
    for (; tap + count <= taps; tap += count)                                                  \
        weight_gradient_taps(count, blocks, left, shape, values + tap, gradient + first,       \
                             accumulate, target + tap * LANES);
            if (left > LANES) {
                TAPS(8, 2)
                TAPS(1, 2)
            } else {
                TAPS(8, 1)
                TAPS(1, 1)
            }
#undef TAPS
        }
        first += left > LANES ? 2 * LANES : LANES;
    }
}

// MARK: Gradient of the input

INLINE void input_gradient_points(const int points, const int blocks,
                                  const struct aegis_convolution *shape, const float *gradient,
                                  const float *turned, float *result) {
    const size_t step = shape->stride * shape->channels;
    const size_t block = shape->outputs * LANES;
    V sums[4][5];
    for (int b = 0; b < blocks; b++)
        for (int point = 0; point < points; point++) sums[b][point] = (V){};
    for (size_t output = 0; output < shape->outputs; output++) {
        V w[4];
        for (int b = 0; b < blocks; b++) w[b] = LOAD(turned + b * block + output * LANES);
        for (int point = 0; point < points; point++) {
            const V g = SPLAT(gradient[point * shape->outputs + output]);
            for (int b = 0; b < blocks; b++)
                sums[b][point] = MULTIPLY_ADD(g, w[b], sums[b][point]);
        }
    }
    // Neighbours overlap. Beyond the taps a vector adds zeros.
    for (int point = 0; point < points; point++)
        for (int b = 0; b < blocks; b++) {
            float *target = result + point * step + b * LANES;
            STORE(target, LOAD(target) + sums[b][point]);
        }
}

static void convolution_input_gradient(const struct aegis_convolution *shape,
                                       const float *gradient, const float *turned,
                                       float *result) {
    const size_t step = shape->stride * shape->channels;
    const size_t all = block_count(shape->kernel * shape->channels);
    for (size_t oy = 0; oy < shape->output_height; oy++)
        for (size_t y = 0; y < shape->kernel; y++) {
            float *row = result + (oy * shape->stride + y) * shape->width * shape->channels;
            const float *values = gradient + oy * shape->output_width * shape->outputs;
            for (size_t b = 0; b < all;) {
                const float *weights = turned + (y * all + b) * shape->outputs * LANES;
                const size_t now = all - b >= 4 ? 4 : 1;
                size_t x = 0;
#define POINTS(count, blocks)                                                                  \
    for (; x + count <= shape->output_width; x += count)                                       \
        input_gradient_points(count, blocks, shape, values + x * shape->outputs, weights,      \
                              row + x * step + b * LANES);
                if (now == 4) {
                    POINTS(5, 4)
                    POINTS(1, 4)
                } else {
                    POINTS(5, 1)
                    POINTS(1, 1)
                }
#undef POINTS
                b += now;
            }
        }
}

// MARK: Pooling

static void max_pool(const struct aegis_pooling *shape, const float *image, float *output) {
    const size_t row = shape->width * shape->channels;
    // With stride 1 a whole row of results is one run of numbers.
    const size_t runs = shape->stride == 1 ? 1 : shape->output_width;
    const size_t run = shape->stride == 1 ? shape->output_width * shape->channels
                                          : shape->channels;
    for (size_t y = 0; y < shape->output_height; y++)
        for (size_t x = 0; x < runs; x++) {
            const float *from =
                image + y * shape->stride * row + x * shape->stride * shape->channels;
            for (size_t i = 0; i < run; i += LANES) {
                const size_t rest = run - i < LANES ? run - i : LANES;
                LOAD_PART(largest, from + i, rest);
                for (size_t dy = 0; dy < shape->size; dy++)
                    for (size_t dx = 0; dx < shape->size; dx++) {
                        const float *at = from + dy * row + dx * shape->channels + i;
                        LOAD_PART(value, at, rest);
                        // What is not a number stays.
                        largest = SELECT(value > largest | value != value, value, largest);
                    }
                STORE_PART(output + i, largest, rest);
            }
            output += run;
        }
}

static void max_pool_gradient(const struct aegis_pooling *shape, const float *image,
                              const float *output, const float *gradient, float *result) {
    const size_t row = shape->width * shape->channels;
    const size_t runs = shape->stride == 1 ? 1 : shape->output_width;
    const size_t run = shape->stride == 1 ? shape->output_width * shape->channels
                                          : shape->channels;
    for (size_t y = 0; y < shape->output_height; y++)
        for (size_t x = 0; x < runs; x++) {
            const size_t start = y * shape->stride * row + x * shape->stride * shape->channels;
            for (size_t i = 0; i < run; i += LANES) {
                const size_t rest = run - i < LANES ? run - i : LANES;
                LOAD_PART(largest, output + i, rest);
                LOAD_PART(g, gradient + i, rest);
                VI open = largest == largest;
                for (size_t dy = 0; dy < shape->size; dy++)
                    for (size_t dx = 0; dx < shape->size; dx++) {
                        const size_t at = start + dy * row + dx * shape->channels + i;
                        LOAD_PART(value, image + at, rest);
                        LOAD_PART(old, result + at, rest);
                        const VI here = (value == largest) & open;
                        open &= ~here;
                        STORE_PART(result + at, old + (V)((VI)g & here), rest);
                    }
            }
            output += run;
            gradient += run;
        }
}
