#ifndef AEGIS_CNOISE_H
#define AEGIS_CNOISE_H

#include <stddef.h>
#include <stdint.h>

/* Normals are made in groups of this many, a group from so many random words. */
#define AEGIS_NORMALS_GROUP 32
#define AEGIS_NORMALS_GROUP_WORDS 48

/*
 * Adds scale * N(0, 1) to each of `count` values. `words` are uniformly random; there are enough for
 * `count` rounded up to whole groups. The same words give the same bits on every path.
 */
void aegis_normals_add(const uint32_t *words, size_t count, float scale, float *values);

/* 0: as compiled, 1: AVX2, 2: AVX-512. The widest this processor has. */
int aegis_normals_widest(void);

/* The same on a chosen path, which the processor must have: for tests. */
void aegis_normals_add_on(
    int path, const uint32_t *words, size_t count, float scale, float *values);

/* Zeroes that the compiler keeps. */
void aegis_wipe(void *bytes, size_t count);

#endif
