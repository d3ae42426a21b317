/*
 * Normals in single precision by the transformation of Box and Muller (1958), sixteen pairs at once.
 *
 * A pair takes three words: 62 bits for the radius, so that values reach 9.2 (what lies beyond has
 * probability 2e-19), 32 for the angle. Only operations that IEEE 754 rounds correctly, and no
 * contraction, so that all paths agree to the bit. The polynomials are those of Cephes (Moshier 1992,
 * logf, sinf, cosf), good to single precision.
 */
#define _DEFAULT_SOURCE
#include "cnoise.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef uint32_t words16 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

/* A macro, since a vector is not passed to a function alike on all targets. */
#define AS(type, value) __builtin_convertvector(value, type)

/* values[0..<32] += scale * 32 normals */
INLINE void group(const uint32_t *words, float scale, float *values)
{
    words16 first, second, turn;
    memcpy(&first, words, 64);
    memcpy(&second, words + 16, 64);
    memcpy(&turn, words + 32, 64);

    /* u in (0, 1]: 31 bits and 31 more, of which single precision keeps what it can. */
    floats fine = AS(floats, (ints)(((first & 1) << 30) | (second >> 2))) + 1.0f;
    floats u = (AS(floats, (ints)(first >> 1)) + fine * 0x1p-31f) * 0x1p-31f;

    /* ln u, from the exponent and a mantissa in [sqrt(1/2), sqrt 2) */
    ints bits = (ints)u + (0x3f800000 - 0x3f3504f3);
    floats exponent = AS(floats, (bits >> 23) - 127);
    floats x = (floats)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    floats z = x * x;
    floats y = x * 7.0376836292e-2f - 1.1514610310e-1f;
    y = y * x + 1.1676998740e-1f;
    y = y * x - 1.2420140846e-1f;
    y = y * x + 1.4249322787e-1f;
    y = y * x - 1.6668057665e-1f;
    y = y * x + 2.0000714765e-1f;
    y = y * x - 2.4999993993e-1f;
    y = y * x + 3.3333331174e-1f;
    y = y * x * z + exponent * -2.12194440e-4f - z * 0.5f;
    floats logarithm = x + y + exponent * 0.693359375f;
    floats radius = __builtin_elementwise_sqrt(logarithm * -2.0f) * scale;

    /* An angle within a quarter of the circle, then one of the four quarters. */
    ints part = (ints)((turn & 0x3fffffff) * 2 + 1) - 0x40000000;
    floats angle = AS(floats, part) * (0.78539816339f * 0x1p-30f);
    floats square = angle * angle;
    floats sine = square * -1.9515295891e-4f + 8.3321608736e-3f;
    sine = (sine * square - 1.6666654611e-1f) * square * angle + angle;
    floats cosine = square * 2.443315711809948e-5f - 1.388731625493765e-3f;
    cosine = (cosine * square + 4.166664568298827e-2f) * square * square - square * 0.5f + 1.0f;

    words16 swap = -(turn >> 31);
    words16 sign = (turn << 1) & 0x80000000u;
    words16 left = (((words16)sine & swap) | ((words16)cosine & ~swap)) ^ sign;
    words16 right = (((words16)cosine & swap) | ((words16)sine & ~swap)) ^ sign;

    floats low, high;
    memcpy(&low, values, 64);
    memcpy(&high, values + 16, 64);
    low += radius * (floats)left;
    high += radius * (floats)right;
    memcpy(values, &low, 64);
    memcpy(values + 16, &high, 64);
}

INLINE void add(const uint32_t *words, size_t count, float scale, float *values)
{
    size_t whole = count / AEGIS_NORMALS_GROUP * AEGIS_NORMALS_GROUP;
    for (size_t start = 0; start < whole; start += AEGIS_NORMALS_GROUP)
        group(words + start / 2 * 3, scale, values + start);
    if (count > whole) {
        float rest[AEGIS_NORMALS_GROUP] = {0};
        memcpy(rest, values + whole, (count - whole) * sizeof(float));
        group(words + whole / 2 * 3, scale, rest);
        memcpy(values + whole, rest, (count - whole) * sizeof(float));
        aegis_wipe(rest, sizeof rest);
    }
}

static void add_portable(const uint32_t *words, size_t count, float scale, float *values)
{
    add(words, count, scale, values);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
add_avx2(const uint32_t *words, size_t count, float scale, float *values)
{
    add(words, count, scale, values);
}

__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) static void
add_avx512(const uint32_t *words, size_t count, float scale, float *values)
{
    add(words, count, scale, values);
}
#endif

int aegis_normals_widest(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2")) return 1;
#endif
    return 0;
}

void aegis_normals_add_on(
    int path, const uint32_t *words, size_t count, float scale, float *values)
{
#if defined(__x86_64__)
    if (path == 2) return add_avx512(words, count, scale, values);
    if (path == 1) return add_avx2(words, count, scale, values);
#endif
    (void)path;
    add_portable(words, count, scale, values);
}

void aegis_normals_add(const uint32_t *words, size_t count, float scale, float *values)
{
    aegis_normals_add_on(aegis_normals_widest(), words, count, scale, values);
}

void aegis_wipe(void *bytes, size_t count)
{
    memset(bytes, 0, count);
    __asm__ __volatile__("" : : "r"(bytes) : "memory");
}
