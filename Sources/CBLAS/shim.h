#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
// OpenBLAS's own choice of kernels at run time. Only builds with dynamic dispatch have these.
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));
#endif

// A processor younger than the library is not in its table and gets the kernels of 2004
// ("Prescott", SSE3), several times slower. Where that happens and the instructions are there,
// let the library choose again by name. The user's own OPENBLAS_CORETYPE is respected. To be
// called before any other thread runs: it changes the environment for a moment.
static inline void aegis_openblas_choose_kernels(void) {
#if defined(__x86_64__)
    if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit) return;
    if (getenv("OPENBLAS_CORETYPE") || strcmp(openblas_get_corename(), "Prescott") != 0) return;
    const char *kernels = NULL;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        kernels = "SKYLAKEX";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        kernels = "HASWELL";
    }
    if (!kernels) return;
    setenv("OPENBLAS_CORETYPE", kernels, 1);
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
#endif
}
