// Every kernel that is compiled once for each kind of processor: result, name, parameters.
AEGIS_KERNEL(void, scale_bytes, (const uint8_t *, float, float, size_t, float *))
AEGIS_KERNEL(void, add_bias, (float *, const float *, size_t, size_t, int))
AEGIS_KERNEL(void, activate, (float *, size_t, int))
AEGIS_KERNEL(void, activation_gradient, (const float *, float *, size_t, int))
AEGIS_KERNEL(void, squared_row_norms, (const float *, size_t, size_t, float *))
AEGIS_KERNEL(float, squared_norm, (const float *, size_t))
AEGIS_KERNEL(double, product, (const float *, const float *, size_t))
AEGIS_KERNEL(void, scale_rows, (float *, const float *, size_t, size_t))
AEGIS_KERNEL(void, add_scaled, (float *, const float *, float, size_t))
AEGIS_KERNEL(void, add_rows, (float *, const float *, size_t, size_t))
AEGIS_KERNEL(void, softmax_loss,
             (const float *, const uint8_t *, size_t, size_t, float, float *, double *, size_t *))
AEGIS_KERNEL(void, descend_sgd,
             (float *, float *, const float *, const float *, float, float, float, float, size_t))
AEGIS_KERNEL(void, skinny_forward,
             (const float *, const float *, const float *, size_t, size_t, size_t, float *))
AEGIS_KERNEL(void, skinny_weight_gradient,
             (const float *, const float *, size_t, size_t, size_t, float *))
AEGIS_KERNEL(void, convolution_forward,
             (const struct aegis_convolution *, const float *, const float *, const float *,
              float *))
AEGIS_KERNEL(void, convolution_weight_gradient,
             (const struct aegis_convolution *, const float *, const float *, int, float *))
AEGIS_KERNEL(void, convolution_input_gradient,
             (const struct aegis_convolution *, const float *, const float *, float *))
AEGIS_KERNEL(void, max_pool, (const struct aegis_pooling *, const float *, float *))
AEGIS_KERNEL(void, max_pool_gradient,
             (const struct aegis_pooling *, const float *, const float *, const float *, float *))
