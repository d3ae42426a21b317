import Glibc

/// The discrete Fourier transform of real sequences in 106 bits: some thirty times slower than
/// `RealFFT`, for a loss that no tilt brings into binary64's reach.
///
/// Stockham's radix 2, and the usual split for reals.
package struct PreciseFFT {
    let count: Int
    private let half: Int
    /// e^{−2πi·k/N} for k < N/2.
    private let roots: [PreciseComplex]

    package init(count: Int) {
        precondition(count >= 4 && count & (count - 1) == 0, "a power of two")
        self.count = count
        half = count / 2
        roots = Self.roots(count)
    }

    /// A bound of the error's 2-norm over the result's (Higham 2002, Theorem 24.2): of each stage,
    /// a product of complex numbers and a sum.
    var relativeError: Double { 0x1p-100 * (log2(Double(count)) + 2) }

    /// From those of an eighth of the circle, each the product of two out of short tables.
    private static func roots(_ count: Int) -> [PreciseComplex] {
        let eighth = count / 8
        var fine = 1
        while fine * fine < eighth { fine *= 2 }
        func root(_ index: Int) -> PreciseComplex {
            let angle = DoubleDouble.twoPi * DoubleDouble(Double(index) / Double(count))
            let (cosine, sine) = DoubleDouble.cosineAndSine(angle)
            return PreciseComplex(cosine, -sine)
        }
        let small = (0..<fine).map { root($0) }
        let large = (0...max(1, eighth / fine)).map { root($0 * fine) }
        func first(_ k: Int) -> PreciseComplex { large[k / fine] * small[k % fine] }
        return (0..<count / 2).map { k in
            let folded = k % (count / 4)
            let mirrored = folded > eighth
            let near = first(mirrored ? count / 4 - folded : folded)
            let quarter =
                mirrored ? PreciseComplex(-near.imaginary, -near.real) : near
            return k < count / 4 ? quarter : PreciseComplex(quarter.imaginary, -quarter.real)
        }
    }

    /// The non-negative frequencies, N/2 + 1 of them.
    package func forward(_ values: [Double]) -> [PreciseComplex] {
        precondition(values.count == count, "as long as the transform")
        var packed = (0..<half).map {
            PreciseComplex(DoubleDouble(values[2 * $0]), DoubleDouble(values[2 * $0 + 1]))
        }
        transform(&packed)
        return (0...half).map { k in
            let here = packed[k == half ? 0 : k]
            let there = packed[k == 0 || k == half ? 0 : half - k].conjugate
            let (even, odd) = ((here + there).halved, (here - there).halved)
            let turned = PreciseComplex(odd.imaginary, -odd.real)
            return k == half ? even - turned : even + turned * roots[k]
        }
    }

    /// The real sequence with this spectrum, rounded to binary64.
    package func inverse(_ spectrum: [PreciseComplex]) -> [Double] {
        precondition(spectrum.count == half + 1, "half as long as the transform, and one")
        // The transform of the conjugate is the conjugate of the inverse.
        var packed = (0..<half).map { k in
            let (here, there) = (spectrum[k], spectrum[half - k].conjugate)
            let (even, odd) = ((here + there).halved, (here - there).halved)
            let back = odd * roots[k].conjugate
            return (even + PreciseComplex(-back.imaginary, back.real)).conjugate
        }
        transform(&packed)
        let scale = 1 / Double(half)
        var values: [Double] = []
        values.reserveCapacity(count)
        for value in packed {
            values.append(value.real.high * scale)
            values.append(-value.imaginary.high * scale)
        }
        return values
    }

    /// In place, of length N/2.
    private func transform(_ values: inout [PreciseComplex]) {
        var other = [PreciseComplex](repeating: .zero, count: half)
        var (length, stride) = (half, 1)
        while length >= 2 {
            let middle = length / 2
            values.withUnsafeBufferPointer { x in
                other.withUnsafeMutableBufferPointer { y in
                    for p in 0..<middle {
                        let root = roots[p * (count / length)]
                        for q in 0..<stride {
                            let (a, b) = (x[q + stride * p], x[q + stride * (p + middle)])
                            y[q + stride * 2 * p] = a + b
                            y[q + stride * (2 * p + 1)] = (a - b) * root
                        }
                    }
                }
            }
            swap(&values, &other)
            length = middle
            stride *= 2
        }
    }
}

extension PreciseComplex {
    fileprivate var halved: PreciseComplex {
        PreciseComplex(real.scaled(by: 0.5), imaginary.scaled(by: 0.5))
    }
}
