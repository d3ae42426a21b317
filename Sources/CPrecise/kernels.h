#pragma once
#include "cprecise.h"

struct aegis_precise_kernels {
    void (*products)(double *, const double *, const double *, size_t, size_t);
    void (*transform)(double *, double *, size_t, const double *);
    void (*unpack)(const double *, double *, size_t, const double *);
    void (*pack)(const double *, double *, size_t, const double *);
    void (*multiply_by_power)(double *, const double *, size_t, unsigned long long, double);
};

extern const struct aegis_precise_kernels aegis_precise_portable;
#if defined(__x86_64__)
extern const struct aegis_precise_kernels aegis_precise_avx2;
extern const struct aegis_precise_kernels aegis_precise_avx512;
#endif
