#ifndef AEGIS_SCATTERING_H
#define AEGIS_SCATTERING_H

#include <stddef.h>

/* Wavelet scattering of 28 × 28 images, depth 2, J = 2, L = 8 (Bruna and Mallat 2013). */

enum {
    AEGIS_SCATTERING_SIDE = 28,
    AEGIS_SCATTERING_PADDED = 36,
    AEGIS_SCATTERING_OUT = 7,
    AEGIS_SCATTERING_ORIENTATIONS = 8,
    AEGIS_SCATTERING_CHANNELS = 81,
};

/* Floats of scratch memory, to be aligned to 64 bytes. */
size_t aegis_scattering_scratch(void);

/*
 * images    count × 28 × 28
 * psi       16 × 36 × 36: the wavelets' real spectra, j = 0 first, then j = 1, 8 each
 * low_full  7 × 36: rows of the low-pass that give the output points from 36 samples
 * low_half  7 × 18: the same from every second sample
 * groups    0, or a divisor of 81: each image's channels are normalised group by group
 *           (Wu and He 2018, no affine part, 1e-5 under the root)
 * out       count × 81 × 7 × 7
 */
void aegis_scattering(const float *images, size_t count, const float *psi, const float *low_full,
                      const float *low_half, size_t groups, float *out, float *scratch);

#endif
