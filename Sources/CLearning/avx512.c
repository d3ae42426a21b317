#if defined(__x86_64__)
#pragma clang attribute push(                                                                  \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define AEGIS_SET aegis_kernels_avx512
#define AEGIS_SET_NAME "avx512"
#define MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "kernel_bodies.h"
#pragma clang attribute pop
#endif
