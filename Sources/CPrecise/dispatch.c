#include "kernels.h"

const struct aegis_precise_kernels *aegis_precise_on(int path) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (path == 2)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
                       && __builtin_cpu_supports("avx512vl")
                   ? &aegis_precise_avx512
                   : 0;
    if (path == 1) return avx2 ? &aegis_precise_avx2 : 0;
#endif
    return path == 0 ? &aegis_precise_portable : 0;
}

const struct aegis_precise_kernels *aegis_precise_best(void) {
    for (int path = 2; path > 0; path--) {
        const struct aegis_precise_kernels *kernels = aegis_precise_on(path);
        if (kernels) return kernels;
    }
    return &aegis_precise_portable;
}

void aegis_precise_products(const struct aegis_precise_kernels *kernels, double *result,
                            const double *large, const double *small, size_t fine, size_t count) {
    kernels->products(result, large, small, fine, count);
}
void aegis_precise_transform(const struct aegis_precise_kernels *kernels, double *values,
                             double *other, size_t length, const double *roots) {
    kernels->transform(values, other, length, roots);
}
void aegis_precise_unpack(const struct aegis_precise_kernels *kernels, const double *packed,
                          double *spectrum, size_t length, const double *roots) {
    kernels->unpack(packed, spectrum, length, roots);
}
void aegis_precise_pack(const struct aegis_precise_kernels *kernels, const double *spectrum,
                        double *packed, size_t length, const double *roots) {
    kernels->pack(spectrum, packed, length, roots);
}
void aegis_precise_multiply_by_power(const struct aegis_precise_kernels *kernels, double *spectrum,
                                     const double *base, size_t records,
                                     unsigned long long exponent, double least) {
    kernels->multiply_by_power(spectrum, base, records, exponent, least);
}
