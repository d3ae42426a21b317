// For any processor: vectors as the compiler can make them, no fused multiply-add.
#define AEGIS_SET aegis_kernels_portable
#define AEGIS_SET_NAME "portable"
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#include "kernel_bodies.h"
