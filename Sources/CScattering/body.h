/* Included once for each instruction set; NAME(x) tells the copies apart. Sixteen images go side
 * by side through the same arithmetic, one in each lane. */

#define INLINE static inline __attribute__((always_inline))

/* (re, im) → its DFT of 3 points, in place. */
INLINE void NAME(dft3)(V *re, V *im, int a, int b, int c) {
    const float half = 0.5f, root = 0.86602540378443864676f;
    V sum_re = re[b] + re[c], sum_im = im[b] + im[c];
    V turn_re = (im[b] - im[c]) * root, turn_im = (re[c] - re[b]) * root;
    V mid_re = re[a] - sum_re * half, mid_im = im[a] - sum_im * half;
    re[a] += sum_re;
    im[a] += sum_im;
    re[b] = mid_re + turn_re;
    im[b] = mid_im + turn_im;
    re[c] = mid_re - turn_re;
    im[c] = mid_im - turn_im;
}

/* DFT of 6 points as 2 × 3 without twiddles (Good 1958): n = 3a + 2b, k = 3c + 4d (mod 6). */
INLINE void NAME(dft6)(V *re, V *im) {
    static const int even[3] = {0, 2, 4}, odd[3] = {3, 5, 1};
    for (int b = 0; b < 3; b++) {
        V r = re[even[b]], i = im[even[b]], s = re[odd[b]], j = im[odd[b]];
        re[even[b]] = r + s;
        im[even[b]] = i + j;
        re[odd[b]] = r - s;
        im[odd[b]] = i - j;
    }
    NAME(dft3)(re, im, 0, 2, 4);
    NAME(dft3)(re, im, 3, 5, 1);
    /* Now even[d] holds k = 4d and odd[d] holds k = 3 + 4d (mod 6). */
    V t;
    t = re[2], re[2] = re[4], re[4] = t;
    t = im[2], im[2] = im[4], im[4] = t;
    /* odd: 3 → 3, 5 → 3 + 4 = 1, 1 → 3 + 8 = 5 */
    t = re[1], re[1] = re[5], re[5] = t;
    t = im[1], im[1] = im[5], im[5] = t;
}

/* One DFT of 36 points with a stride, as 6 × 6 (Cooley and Tukey 1965), in place. */
INLINE void NAME(dft36)(V *re, V *im, size_t stride) {
    V work_re[36], work_im[36];
    for (int n2 = 0; n2 < 6; n2++) {
        V r[6], i[6];
        for (int n1 = 0; n1 < 6; n1++) {
            r[n1] = re[(size_t)(6 * n1 + n2) * stride];
            i[n1] = im[(size_t)(6 * n1 + n2) * stride];
        }
        NAME(dft6)(r, i);
        for (int k1 = 0; k1 < 6; k1++) {
            float c = turn36[n2 * k1 % 36][0], s = turn36[n2 * k1 % 36][1];
            work_re[6 * k1 + n2] = r[k1] * c - i[k1] * s;
            work_im[6 * k1 + n2] = r[k1] * s + i[k1] * c;
        }
    }
    for (int k1 = 0; k1 < 6; k1++) {
        NAME(dft6)(work_re + 6 * k1, work_im + 6 * k1);
        for (int k2 = 0; k2 < 6; k2++) {
            re[(size_t)(k1 + 6 * k2) * stride] = work_re[6 * k1 + k2];
            im[(size_t)(k1 + 6 * k2) * stride] = work_im[6 * k1 + k2];
        }
    }
}

/* One DFT of 18 points, as 3 × 6. */
INLINE void NAME(dft18)(V *re, V *im, size_t stride) {
    V work_re[18], work_im[18];
    for (int n2 = 0; n2 < 6; n2++) {
        V r[3], i[3];
        for (int n1 = 0; n1 < 3; n1++) {
            r[n1] = re[(size_t)(6 * n1 + n2) * stride];
            i[n1] = im[(size_t)(6 * n1 + n2) * stride];
        }
        NAME(dft3)(r, i, 0, 1, 2);
        for (int k1 = 0; k1 < 3; k1++) {
            float c = turn36[2 * n2 * k1 % 36][0], s = turn36[2 * n2 * k1 % 36][1];
            work_re[6 * k1 + n2] = r[k1] * c - i[k1] * s;
            work_im[6 * k1 + n2] = r[k1] * s + i[k1] * c;
        }
    }
    for (int k1 = 0; k1 < 3; k1++) {
        NAME(dft6)(work_re + 6 * k1, work_im + 6 * k1);
        for (int k2 = 0; k2 < 6; k2++) {
            re[(size_t)(k1 + 3 * k2) * stride] = work_re[6 * k1 + k2];
            im[(size_t)(k1 + 3 * k2) * stride] = work_im[6 * k1 + k2];
        }
    }
}

/* The inverse is the same with the parts exchanged; callers divide by the number of points. */
static void NAME(fft36)(V *re, V *im) {
    for (size_t line = 0; line < 36; line++) NAME(dft36)(re + 36 * line, im + 36 * line, 1);
    for (size_t line = 0; line < 36; line++) NAME(dft36)(re + line, im + line, 36);
}

static void NAME(fft18)(V *re, V *im) {
    for (size_t line = 0; line < 18; line++) NAME(dft18)(re + 18 * line, im + 18 * line, 1);
    for (size_t line = 0; line < 18; line++) NAME(dft18)(re + line, im + line, 18);
}

/* |z| / points, and nothing left of the phase. */
static void NAME(modulus)(V *re, V *im, size_t points) {
    const float scale = 1.0f / (float)points;
    for (size_t k = 0; k < points; k++) {
        re[k] = __builtin_elementwise_sqrt(re[k] * re[k] + im[k] * im[k]) * scale;
        im[k] = re[k] - re[k];
    }
}

/* The spectrum of every second sample of what `psi` lets through. */
static void NAME(filter_half)(const V *re, const V *im, const float *psi, V *out_re, V *out_im) {
    for (size_t k = 0; k < 18; k++)
        for (size_t l = 0; l < 18; l++) {
            const size_t a = 36 * k + l, b = a + 18, c = a + 648, d = c + 18;
            out_re[18 * k + l] = (re[a] * psi[a] + re[b] * psi[b] + re[c] * psi[c] +
                                  re[d] * psi[d]) * 0.25f;
            out_im[18 * k + l] = (im[a] * psi[a] + im[b] * psi[b] + im[c] * psi[c] +
                                  im[d] * psi[d]) * 0.25f;
        }
}

/* side × side samples → 7 × 7: rows, then columns. */
INLINE void NAME(low_pass)(const V *in, const float *low, size_t side, V *work, V *out) {
    for (size_t row = 0; row < side; row++)
        for (size_t k = 0; k < 7; k++) {
            V sum = in[side * row] * low[side * k];
            for (size_t n = 1; n < side; n++) sum += in[side * row + n] * low[side * k + n];
            work[7 * row + k] = sum;
        }
    for (size_t k = 0; k < 7; k++)
        for (size_t column = 0; column < 7; column++) {
            V sum = work[column] * low[side * k];
            for (size_t n = 1; n < side; n++) sum += work[7 * n + column] * low[side * k + n];
            out[7 * k + column] = sum;
        }
}

static void NAME(normalise)(V *out, size_t groups) {
    const size_t size = 81 * 49 / groups;
    for (size_t group = 0; group < groups; group++) {
        V *values = out + group * size;
        V sum = values[0];
        for (size_t k = 1; k < size; k++) sum += values[k];
        V mean = sum / (float)size;
        V squares = (values[0] - mean) * (values[0] - mean);
        for (size_t k = 1; k < size; k++) squares += (values[k] - mean) * (values[k] - mean);
        V scale = 1.0f / __builtin_elementwise_sqrt(squares / (float)size + 1e-5f);
        for (size_t k = 0; k < size; k++) values[k] = (values[k] - mean) * scale;
    }
}

/* 81 maps of 7 × 7 of the padded images in `x_re`, whose imaginary parts are zero. */
static void NAME(scatter)(V *x_re, V *x_im, const float *psi, const float *low_full,
                          const float *low_half, V *work, V *out) {
    V *u_re = work, *u_im = u_re + 1296, *v_re = u_im + 1296, *v_im = v_re + 324;
    V *lines = v_im + 324;
    V *second = out + 17 * 49;
    NAME(low_pass)(x_re, low_full, 36, lines, out);
    NAME(fft36)(x_re, x_im);
    for (int n1 = 0; n1 < 8; n1++) {
        const float *filter = psi + (size_t)n1 * 1296;
        for (size_t k = 0; k < 1296; k++) {
            u_re[k] = x_re[k] * filter[k];
            u_im[k] = x_im[k] * filter[k];
        }
        NAME(fft36)(u_im, u_re);
        NAME(modulus)(u_re, u_im, 1296);
        NAME(low_pass)(u_re, low_full, 36, lines, out + (size_t)(1 + n1) * 49);
        NAME(fft36)(u_re, u_im);
        for (int n2 = 8; n2 < 16; n2++, second += 49) {
            NAME(filter_half)(u_re, u_im, psi + (size_t)n2 * 1296, v_re, v_im);
            NAME(fft18)(v_im, v_re);
            NAME(modulus)(v_re, v_im, 324);
            NAME(low_pass)(v_re, low_half, 18, lines, second);
        }
    }
    for (int n1 = 8; n1 < 16; n1++) {
        NAME(filter_half)(x_re, x_im, psi + (size_t)n1 * 1296, v_re, v_im);
        NAME(fft18)(v_im, v_re);
        NAME(modulus)(v_re, v_im, 324);
        NAME(low_pass)(v_re, low_half, 18, lines, out + (size_t)(1 + n1) * 49);
    }
}

static void NAME(all)(const float *images, size_t count, const float *psi, const float *low_full,
                      const float *low_half, size_t groups, float *out, float *scratch) {
    V *x_re = (V *)scratch, *x_im = x_re + 1296, *maps = x_im + 1296, *work = maps + 81 * 49;
    for (size_t start = 0; start < count; start += LANES) {
        const size_t lanes = count - start < LANES ? count - start : LANES;
        for (size_t row = 0; row < 36; row++)
            for (size_t column = 0; column < 36; column++) {
                const float *pixel = images + start * 784 + mirror[row] * 28 + mirror[column];
                V value = {0};
                for (size_t lane = 0; lane < lanes; lane++) value[lane] = pixel[784 * lane];
                x_re[36 * row + column] = value;
                x_im[36 * row + column] = value - value;
            }
        NAME(scatter)(x_re, x_im, psi, low_full, low_half, work, maps);
        if (groups > 0) NAME(normalise)(maps, groups);
        for (size_t lane = 0; lane < lanes; lane++) {
            float *image = out + (start + lane) * 81 * 49;
            const float *value = (const float *)maps + lane;
            for (size_t k = 0; k < 81 * 49; k++) image[k] = value[LANES * k];
        }
    }
}

#undef INLINE
