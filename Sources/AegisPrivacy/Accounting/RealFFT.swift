import Glibc
import Synchronization

/// The discrete Fourier transform of real sequences of a fixed length, a power of two.
///
/// A complex transform of half the length (Stockham's radix 4, which needs no permutation) and the
/// usual split of its result. Each value passes through log₂ N stages of rounding; the twiddle
/// factors are correctly rounded but for an ulp, so that the error's 2-norm stays below
/// `relativeError` of the result's (Higham 2002, Theorem 24.2).
final class RealFFT: Sendable {
    let count: Int
    private let half: Int
    /// cos and −sin of 2πk/N for k < N.
    private let cosines: [Double]
    private let sines: [Double]

    private static let cache = Mutex<[Int: RealFFT]>([:])

    /// The transform of sequences of `count` numbers; its tables are made once.
    static func length(_ count: Int) -> RealFFT {
        if let made = cache.withLock({ $0[count] }) { return made }
        let made = RealFFT(count)
        cache.withLock { $0[count] = made }
        return made
    }

    private init(_ count: Int) {
        precondition(count >= 4 && count & (count - 1) == 0, "a power of two")
        self.count = count
        half = count / 2
        var cosines = [Double](repeating: 1, count: count)
        var sines = [Double](repeating: 0, count: count)
        let eighth = count / 8
        for k in 0..<count {
            // Only the first eighth is computed; the rest is its mirror images.
            if eighth > 0, k > eighth { break }
            let angle = 2 * Double.pi * Double(k) / Double(count)
            (cosines[k], sines[k]) = (cos(angle), sin(angle))
        }
        if eighth > 0 {
            for k in 0...eighth {
                (cosines[2 * eighth - k], sines[2 * eighth - k]) = (sines[k], cosines[k])
            }
            for k in 0..<2 * eighth {
                (cosines[k + 2 * eighth], sines[k + 2 * eighth]) = (-sines[k], cosines[k])
            }
            for k in 0..<4 * eighth {
                (cosines[k + 4 * eighth], sines[k + 4 * eighth]) = (-cosines[k], -sines[k])
            }
        }
        self.cosines = cosines
        self.sines = sines.map { -$0 }
    }

    /// A bound of the error's 2-norm over the result's.
    var relativeError: Double { 4e-16 * (log2(Double(count)) + 2) }

    /// The non-negative frequencies, N/2 + 1 of them.
    func forward(_ values: [Double]) -> Spectrum {
        precondition(values.count == count, "as long as the transform")
        var packed = Spectrum(count: half)
        for k in 0..<half {
            packed.real[k] = values[2 * k]
            packed.imaginary[k] = values[2 * k + 1]
        }
        transform(&packed.real, &packed.imaginary)
        var result = Spectrum(count: half + 1)
        for k in 0...half {
            let (a, b) = (k == half ? 0 : k, k == 0 ? 0 : half - k)
            let evenReal = (packed.real[a] + packed.real[b]) / 2
            let evenImaginary = (packed.imaginary[a] - packed.imaginary[b]) / 2
            let oddReal = (packed.imaginary[a] + packed.imaginary[b]) / 2
            let oddImaginary = (packed.real[b] - packed.real[a]) / 2
            let (cosine, sine) = k == half ? (-1, 0) : (cosines[k], sines[k])
            result.real[k] = evenReal + oddReal * cosine - oddImaginary * sine
            result.imaginary[k] = evenImaginary + oddReal * sine + oddImaginary * cosine
        }
        return result
    }

    /// The real sequence with this spectrum.
    func inverse(_ spectrum: Spectrum) -> [Double] {
        precondition(spectrum.count == half + 1, "half as long as the transform, and one")
        var packed = Spectrum(count: half)
        for k in 0..<half {
            let mirror = half - k
            let evenReal = (spectrum.real[k] + spectrum.real[mirror]) / 2
            let evenImaginary = (spectrum.imaginary[k] - spectrum.imaginary[mirror]) / 2
            let differenceReal = (spectrum.real[k] - spectrum.real[mirror]) / 2
            let differenceImaginary = (spectrum.imaginary[k] + spectrum.imaginary[mirror]) / 2
            let oddReal = differenceReal * cosines[k] + differenceImaginary * sines[k]
            let oddImaginary = differenceImaginary * cosines[k] - differenceReal * sines[k]
            // The transform is run with real and imaginary part exchanged: that inverts it.
            packed.real[k] = evenImaginary + oddReal
            packed.imaginary[k] = evenReal - oddImaginary
        }
        transform(&packed.real, &packed.imaginary)
        let scale = 1 / Double(half)
        return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
            for k in 0..<half {
                buffer[2 * k] = packed.imaginary[k] * scale
                buffer[2 * k + 1] = packed.real[k] * scale
            }
            initialized = count
        }
    }

    /// In place, of length N/2.
    private func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
        var otherReal = [Double](repeating: 0, count: half)
        var otherImaginary = [Double](repeating: 0, count: half)
        var (length, stride) = (half, 1)
        while length >= 4 {
            stage4(length, stride, &real, &imaginary, &otherReal, &otherImaginary)
            swap(&real, &otherReal)
            swap(&imaginary, &otherImaginary)
            length /= 4
            stride *= 4
        }
        guard length == 2 else { return }
        for q in 0..<stride {
            otherReal[q] = real[q] + real[q + stride]
            otherImaginary[q] = imaginary[q] + imaginary[q + stride]
            otherReal[q + stride] = real[q] - real[q + stride]
            otherImaginary[q + stride] = imaginary[q] - imaginary[q + stride]
        }
        swap(&real, &otherReal)
        swap(&imaginary, &otherImaginary)
    }

    private func stage4(
        _ length: Int, _ stride: Int, _ real: inout [Double], _ imaginary: inout [Double],
        _ outReal: inout [Double], _ outImaginary: inout [Double]
    ) {
        let quarter = length / 4
        // Twiddle factors of a transform of `length` among those of one of `count`.
        let step = count / length
        real.withUnsafeBufferPointer { xr in
            imaginary.withUnsafeBufferPointer { xi in
                outReal.withUnsafeMutableBufferPointer { yr in
                    outImaginary.withUnsafeMutableBufferPointer { yi in
                        guard let xr = xr.baseAddress, let xi = xi.baseAddress,
                            let yr = yr.baseAddress, let yi = yi.baseAddress
                        else { return }
                        for p in 0..<quarter {
                            let k = p * step
                            let twiddles = Twiddles(
                                first: (cosines[k], sines[k]),
                                second: (cosines[2 * k], sines[2 * k]),
                                third: (cosines[3 * k], sines[3 * k]))
                            let input = stride * p
                            let output = 4 * stride * p
                            let skip = stride * quarter
                            if stride >= 2 {
                                Butterfly.run(
                                    stride, twiddles,
                                    (xr + input, xi + input), skip,
                                    (yr + output, yi + output))
                            } else {
                                Butterfly.single(
                                    twiddles, (xr + input, xi + input), skip,
                                    (yr + output, yi + output))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Complex numbers as two sequences.
struct Spectrum: Sendable {
    var real: [Double]
    var imaginary: [Double]
    var count: Int { real.count }

    init(count: Int) {
        real = [Double](repeating: 0, count: count)
        imaginary = real
    }
}

private struct Twiddles {
    let first: (Double, Double)
    let second: (Double, Double)
    let third: (Double, Double)
}

/// Four numbers a stride apart become four others.
private enum Butterfly {
    @inline(__always)
    static func run(
        _ stride: Int, _ w: Twiddles,
        _ x: (UnsafePointer<Double>, UnsafePointer<Double>), _ skip: Int,
        _ y: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>)
    ) {
        for q in Swift.stride(from: 0, to: stride, by: 2) {
            func load(_ part: UnsafePointer<Double>, _ index: Int) -> SIMD2<Double> {
                UnsafeRawPointer(part + q + index * skip).loadUnaligned(as: SIMD2<Double>.self)
            }
            func store(
                _ real: SIMD2<Double>, _ imaginary: SIMD2<Double>, _ w: (Double, Double),
                _ index: Int
            ) {
                let offset = q + index * stride
                UnsafeMutableRawPointer(y.0 + offset).storeBytes(
                    of: real * w.0 - imaginary * w.1, as: SIMD2<Double>.self)
                UnsafeMutableRawPointer(y.1 + offset).storeBytes(
                    of: real * w.1 + imaginary * w.0, as: SIMD2<Double>.self)
            }
            let (ar, ai) = (load(x.0, 0), load(x.1, 0))
            let (br, bi) = (load(x.0, 1), load(x.1, 1))
            let (cr, ci) = (load(x.0, 2), load(x.1, 2))
            let (dr, di) = (load(x.0, 3), load(x.1, 3))
            let (sumR, sumI) = (ar + cr, ai + ci)
            let (gapR, gapI) = (ar - cr, ai - ci)
            let (pairR, pairI) = (br + dr, bi + di)
            let (turnR, turnI) = (di - bi, br - dr)
            store(sumR + pairR, sumI + pairI, (1, 0), 0)
            store(gapR - turnR, gapI - turnI, w.first, 1)
            store(sumR - pairR, sumI - pairI, w.second, 2)
            store(gapR + turnR, gapI + turnI, w.third, 3)
        }
    }

    @inline(__always)
    static func single(
        _ w: Twiddles,
        _ x: (UnsafePointer<Double>, UnsafePointer<Double>), _ skip: Int,
        _ y: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>)
    ) {
        func store(_ real: Double, _ imaginary: Double, _ w: (Double, Double), _ index: Int) {
            y.0[index] = real * w.0 - imaginary * w.1
            y.1[index] = real * w.1 + imaginary * w.0
        }
        let (sumR, sumI) = (x.0[0] + x.0[2 * skip], x.1[0] + x.1[2 * skip])
        let (gapR, gapI) = (x.0[0] - x.0[2 * skip], x.1[0] - x.1[2 * skip])
        let (pairR, pairI) = (x.0[skip] + x.0[3 * skip], x.1[skip] + x.1[3 * skip])
        let (turnR, turnI) = (x.1[3 * skip] - x.1[skip], x.0[skip] - x.0[3 * skip])
        store(sumR + pairR, sumI + pairI, (1, 0), 0)
        store(gapR - turnR, gapI - turnI, w.first, 1)
        store(sumR - pairR, sumI - pairI, w.second, 2)
        store(gapR + turnR, gapI + turnI, w.third, 3)
    }
}
