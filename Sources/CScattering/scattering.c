#include "scattering.h"

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };
typedef float V __attribute__((vector_size(4 * LANES)));

/* exp(−2πik / 36) */
static const float turn36[36][2] = {
    {1.000000000f, 0.000000000f}, {0.984807753f, -0.173648178f}, {0.939692621f, -0.342020143f},
    {0.866025404f, -0.500000000f}, {0.766044443f, -0.642787610f}, {0.642787610f, -0.766044443f},
    {0.500000000f, -0.866025404f}, {0.342020143f, -0.939692621f}, {0.173648178f, -0.984807753f},
    {0.000000000f, -1.000000000f}, {-0.173648178f, -0.984807753f}, {-0.342020143f, -0.939692621f},
    {-0.500000000f, -0.866025404f}, {-0.642787610f, -0.766044443f}, {-0.766044443f, -0.642787610f},
    {-0.866025404f, -0.500000000f}, {-0.939692621f, -0.342020143f}, {-0.984807753f, -0.173648178f},
    {-1.000000000f, 0.000000000f}, {-0.984807753f, 0.173648178f}, {-0.939692621f, 0.342020143f},
    {-0.866025404f, 0.500000000f}, {-0.766044443f, 0.642787610f}, {-0.642787610f, 0.766044443f},
    {-0.500000000f, 0.866025404f}, {-0.342020143f, 0.939692621f}, {-0.173648178f, 0.984807753f},
    {0.000000000f, 1.000000000f}, {0.173648178f, 0.984807753f}, {0.342020143f, 0.939692621f},
    {0.500000000f, 0.866025404f}, {0.642787610f, 0.766044443f}, {0.766044443f, 0.642787610f},
    {0.866025404f, 0.500000000f}, {0.939692621f, 0.342020143f}, {0.984807753f, 0.173648178f},
};

/* Where a padded row or column comes from: four mirrored samples on each side, the edge itself
 * not repeated. */
static const size_t mirror[36] = {4,  3,  2,  1,  0,  1,  2,  3,  4,  5,  6,  7,
                                  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                  20, 21, 22, 23, 24, 25, 26, 27, 26, 25, 24, 23};

#define NAME(x) portable_##x
#include "body.h"
#undef NAME

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define NAME(x) avx2_##x
#include "body.h"
#undef NAME
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))), \
                             apply_to = function)
#define NAME(x) avx512_##x
#include "body.h"
#undef NAME
#pragma clang attribute pop

#endif

size_t aegis_scattering_scratch(void) {
    const size_t work = 2 * 1296 + 2 * 324 + 36 * 7;
    return LANES * (2 * 1296 + 81 * 49 + work);
}

void aegis_scattering(const float *images, size_t count, const float *psi, const float *low_full,
                      const float *low_half, size_t groups, float *out, float *scratch) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
        avx512_all(images, count, psi, low_full, low_half, groups, out, scratch);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        avx2_all(images, count, psi, low_full, low_half, groups, out, scratch);
        return;
    }
#endif
    portable_all(images, count, psi, low_full, low_half, groups, out, scratch);
}
