#pragma once
#include "CLearning.h"

extern const struct aegis_kernels aegis_kernels_portable;
#if defined(__x86_64__)
extern const struct aegis_kernels aegis_kernels_avx2;
extern const struct aegis_kernels aegis_kernels_avx512;
#endif
