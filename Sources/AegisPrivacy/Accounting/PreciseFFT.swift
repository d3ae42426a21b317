import CPrecise
import Glibc

/// The discrete Fourier transform of real sequences in 106 bits: some ten times slower than
/// `RealFFT`, for a loss that no tilt brings into binary64's reach.
package struct PreciseFFT {
    let count: Int
    private let half: Int
    private let kernels: OpaquePointer
    /// e^{−2πi·k/N} for k < N/2.
    private let roots: PreciseSpectrum

    /// On the kernels of another `path` than the fastest one where that is given, and this
    /// processor has it: 0 portable, 1 AVX2, 2 AVX-512. All give the same bits.
    package init?(count: Int, path: Int32?) {
        precondition(count >= 128 && count & (count - 1) == 0, "a power of two")
        guard let kernels = path.map({ aegis_precise_on($0) }) ?? aegis_precise_best() else {
            return nil
        }
        self.count = count
        half = count / 2
        self.kernels = kernels
        roots = Self.roots(count, kernels)
    }

    init(count: Int) {
        guard let made = PreciseFFT(count: count, path: nil) else {
            preconditionFailure("every processor has some kernels")
        }
        self = made
    }

    /// A bound of the error's 2-norm over the result's (Higham 2002, Theorem 24.2): of each stage,
    /// a product of complex numbers and a sum.
    var relativeError: Double { 0x1p-100 * (log2(Double(count)) + 3) }

    /// From those of an eighth of the circle, each the product of two out of short tables.
    private static func roots(_ count: Int, _ kernels: OpaquePointer) -> PreciseSpectrum {
        let eighth = count / 8
        var fine = PreciseSpectrum.lanes
        while fine * fine < eighth { fine *= 2 }
        func table(_ size: Int, _ step: Int) -> PreciseSpectrum {
            var table = PreciseSpectrum(count: size)
            for index in 0..<size {
                let share = Double(index * step) / Double(count)
                let (cosine, sine) = DoubleDouble.cosineAndSine(
                    DoubleDouble.twoPi * DoubleDouble(share))
                table[index] = PreciseComplex(cosine, -sine)
            }
            return table
        }
        let (small, large) = (table(fine, 1), table(eighth / fine + 1, fine))
        var first = PreciseSpectrum(count: eighth + 1)
        first.parts.withUnsafeMutableBufferPointer {
            aegis_precise_products(
                kernels, $0.baseAddress, large.parts, small.parts, fine, eighth + 1)
        }
        var roots = PreciseSpectrum(count: count / 2)
        for k in 0..<count / 2 {
            let folded = k % (count / 4)
            let mirrored = folded > eighth
            let near = first[mirrored ? count / 4 - folded : folded]
            let quarter =
                mirrored ? PreciseComplex(-near.imaginary, -near.real) : near
            roots[k] =
                k < count / 4 ? quarter : PreciseComplex(quarter.imaginary, -quarter.real)
        }
        return roots
    }

    /// The non-negative frequencies, N/2 + 1 of them.
    package func forward(_ values: [Double]) -> PreciseSpectrum {
        precondition(values.count == count, "as long as the transform")
        var packed = PreciseSpectrum(count: half)
        for k in 0..<half { packed.setHighs(k, values[2 * k], values[2 * k + 1]) }
        var spectrum = PreciseSpectrum(count: half + 1)
        transform(&packed, &spectrum)
        spectrum.parts.withUnsafeMutableBufferPointer {
            aegis_precise_unpack(kernels, packed.parts, $0.baseAddress, half, roots.parts)
        }
        return spectrum
    }

    /// The real sequence with this spectrum, rounded to binary64. The spectrum is used up.
    package func inverse(_ spectrum: consuming PreciseSpectrum) -> [Double] {
        precondition(spectrum.count == half + 1, "half as long as the transform, and one")
        // The transform of the conjugate is the conjugate of the inverse.
        var packed = PreciseSpectrum(count: half)
        packed.parts.withUnsafeMutableBufferPointer {
            aegis_precise_pack(kernels, spectrum.parts, $0.baseAddress, half, roots.parts)
        }
        transform(&packed, &spectrum)
        let scale = 1 / Double(half)
        return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
            for k in 0..<half {
                let (real, imaginary) = packed.highs(k)
                buffer[2 * k] = real * scale
                buffer[2 * k + 1] = -imaginary * scale
            }
            initialized = count
        }
    }

    /// In place, with memory to spare.
    private func transform(_ values: inout PreciseSpectrum, _ other: inout PreciseSpectrum) {
        values.parts.withUnsafeMutableBufferPointer { values in
            other.parts.withUnsafeMutableBufferPointer { other in
                aegis_precise_transform(
                    kernels, values.baseAddress, other.baseAddress, half, roots.parts)
            }
        }
    }

    /// `spectrum` times `base` to the power of `exponent`, frequency by frequency; zero where
    /// |base|² is below `least`.
    package func multiply(
        _ spectrum: inout PreciseSpectrum, byPower exponent: Int, of base: PreciseSpectrum,
        least: Double
    ) {
        let records = (spectrum.count + PreciseSpectrum.lanes - 1) / PreciseSpectrum.lanes
        spectrum.parts.withUnsafeMutableBufferPointer {
            aegis_precise_multiply_by_power(
                kernels, $0.baseAddress, base.parts, records, UInt64(exponent), least)
        }
    }
}

/// Complex numbers of 106 bits in the order of the kernels: eight by eight, and of those the high
/// halves of the real parts first, then the low ones, then the imaginary parts.
package struct PreciseSpectrum: Sendable {
    package let count: Int
    fileprivate(set) var parts: [Double]

    static let lanes = Int(AEGIS_PRECISE_LANES)
    private static let record = Int(AEGIS_PRECISE_RECORD)

    init(count: Int) {
        self.count = count
        parts = [Double](
            repeating: 0, count: (count + Self.lanes - 1) / Self.lanes * Self.record)
    }

    package var indices: Range<Int> { 0..<count }

    private static func place(_ index: Int) -> Int {
        index / lanes * record + index % lanes
    }

    package subscript(_ index: Int) -> PreciseComplex {
        get {
            let place = Self.place(index)
            return PreciseComplex(
                DoubleDouble(parts[place], parts[place + Self.lanes]),
                DoubleDouble(parts[place + 2 * Self.lanes], parts[place + 3 * Self.lanes]))
        }
        set {
            let place = Self.place(index)
            parts[place] = newValue.real.high
            parts[place + Self.lanes] = newValue.real.low
            parts[place + 2 * Self.lanes] = newValue.imaginary.high
            parts[place + 3 * Self.lanes] = newValue.imaginary.low
        }
    }

    /// Real and imaginary part, rounded.
    func highs(_ index: Int) -> (Double, Double) {
        let place = Self.place(index)
        return (parts[place], parts[place + 2 * Self.lanes])
    }

    fileprivate mutating func setHighs(_ index: Int, _ real: Double, _ imaginary: Double) {
        let place = Self.place(index)
        parts[place] = real
        parts[place + 2 * Self.lanes] = imaginary
    }

    /// Adds a number to all of them.
    mutating func addToReal(_ number: Double) {
        let added = PreciseComplex(DoubleDouble(number), .zero)
        for index in indices { self[index] = self[index] + added }
    }

    /// |z|², to binary64.
    func square(_ index: Int) -> Double {
        let (real, imaginary) = highs(index)
        return real * real + imaginary * imaginary
    }
}
