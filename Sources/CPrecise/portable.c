// For any processor: a fused multiply-add may be the C library's.
#define AEGIS_SET aegis_precise_portable
#include "kernel_bodies.h"
