#ifndef AEGIS_CPRECISE_H
#define AEGIS_CPRECISE_H

#include <stddef.h>

/*
 * Complex numbers of 106 bits, each part the unevaluated sum of two doubles, in records of eight:
 * eight high halves of the real parts, eight low ones, then the same of the imaginary parts. Every
 * array begins with a record and has whole ones.
 *
 * The rounding of each operation is that of `DoubleDouble`, on every path: the same input gives the
 * same bits.
 */
#define AEGIS_PRECISE_LANES 8
#define AEGIS_PRECISE_RECORD 32

/* The kernels of one kind of processor. */
struct aegis_precise_kernels;

/* The fastest for this processor. */
const struct aegis_precise_kernels *aegis_precise_best(void);

/* 0: as compiled, 1: AVX2, 2: AVX-512; null where this processor has it not. For tests. */
const struct aegis_precise_kernels *aegis_precise_on(int path);

/* large[k / fine] times small[k % fine] for k below `count`; `fine` is a multiple of eight. */
void aegis_precise_products(const struct aegis_precise_kernels *kernels, double *result,
                            const double *large, const double *small, size_t fine, size_t count);

/* The discrete Fourier transform of `length` numbers, a power of two from 64 on, in place. `other`
   is as long; roots[k] = e^(-2 pi i k / (2 length)) for k below `length`. */
void aegis_precise_transform(const struct aegis_precise_kernels *kernels, double *values,
                             double *other, size_t length, const double *roots);

/* The non-negative frequencies, length + 1 of them, of the reals that were packed in pairs. */
void aegis_precise_unpack(const struct aegis_precise_kernels *kernels, const double *packed,
                          double *spectrum, size_t length, const double *roots);

/* What gives the conjugates of the pairs of reals with this spectrum, transformed. */
void aegis_precise_pack(const struct aegis_precise_kernels *kernels, const double *spectrum,
                        double *packed, size_t length, const double *roots);

/* spectrum[k] *= base[k]^exponent, or 0 where |base[k]|^2 is below `least`, for so many records. */
void aegis_precise_multiply_by_power(const struct aegis_precise_kernels *kernels, double *spectrum,
                                     const double *base, size_t records,
                                     unsigned long long exponent, double least);

#endif
