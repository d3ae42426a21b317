#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define AEGIS_SET aegis_kernels_avx2
#define AEGIS_SET_NAME "avx2"
#define MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "kernel_bodies.h"
#pragma clang attribute pop
#endif
