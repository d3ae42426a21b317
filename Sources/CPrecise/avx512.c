#if defined(__x86_64__)
#pragma clang attribute push(                                                                  \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define AEGIS_SET aegis_precise_avx512
#include "kernel_bodies.h"
#pragma clang attribute pop
#endif
