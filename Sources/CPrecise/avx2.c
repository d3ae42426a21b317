#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define AEGIS_SET aegis_precise_avx2
#include "kernel_bodies.h"
#pragma clang attribute pop
#endif
