#pragma once
#include "CLearning.h"

// One set of kernels, for one kind of processor.
struct aegis_kernels {
    const char *name;
#define AEGIS_KERNEL(result, name, parameters) result (*name) parameters;
#include "kernel_list.h"
#undef AEGIS_KERNEL
};

extern const struct aegis_kernels aegis_kernels_portable;
#if defined(__x86_64__)
extern const struct aegis_kernels aegis_kernels_avx2;
extern const struct aegis_kernels aegis_kernels_avx512;
#endif
