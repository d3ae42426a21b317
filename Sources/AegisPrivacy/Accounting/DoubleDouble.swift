/// A real as the unevaluated sum of two of binary64: 106 bits of it.
///
/// Sums and products are off by at most 5·2⁻¹⁰⁶ of their value (Joldes, Muller and Popescu 2017,
/// Algorithms 6 and 10).
package struct DoubleDouble: Hashable, Sendable {
    package private(set) var high: Double
    package private(set) var low: Double

    @inline(__always)
    package init(_ high: Double, _ low: Double = 0) {
        self.high = high
        self.low = low
    }

    package static let zero = DoubleDouble(0)
    package static let one = DoubleDouble(1)
    package static let twoPi = DoubleDouble(0x1.921f_b544_42d1_8p2, 0x1.1a62_6331_45c0_7p-52)

    /// high + low, where |low| is at most half a unit in high's last place.
    @inline(__always)
    private static func normalised(_ high: Double, _ low: Double) -> DoubleDouble {
        let sum = high + low
        return DoubleDouble(sum, low - (sum - high))
    }

    @inline(__always)
    private static func exactSum(_ a: Double, _ b: Double) -> (Double, Double) {
        let sum = a + b
        let part = sum - a
        return (sum, (a - (sum - part)) + (b - part))
    }

    @inline(__always)
    package static func + (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
        let (sum, error) = exactSum(a.high, b.high)
        let (rest, errorOfRest) = exactSum(a.low, b.low)
        let first = normalised(sum, error + rest)
        return normalised(first.high, first.low + errorOfRest)
    }

    @inline(__always)
    package static prefix func - (a: DoubleDouble) -> DoubleDouble { DoubleDouble(-a.high, -a.low) }

    @inline(__always)
    package static func - (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble { a + -b }

    @inline(__always)
    package static func * (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
        let product = a.high * b.high
        let error = (-product).addingProduct(a.high, b.high)
        return normalised(product, error + (a.high * b.low + a.low * b.high))
    }

    /// Exact, for a power of two.
    @inline(__always)
    func scaled(by power: Double) -> DoubleDouble { DoubleDouble(high * power, low * power) }

    package static func / (a: DoubleDouble, b: Double) -> DoubleDouble {
        let quotient = a.high / b
        let rest = a - DoubleDouble(quotient) * DoubleDouble(b)
        return normalised(quotient, (rest.high + rest.low) / b)
    }

    /// cos and sin of an angle from 0 to π/4, by their series.
    package static func cosineAndSine(_ angle: DoubleDouble) -> (DoubleDouble, DoubleDouble) {
        let square = -(angle * angle)
        var (cosine, sine) = (DoubleDouble.one, angle)
        var (even, odd) = (DoubleDouble.one, angle)
        for index in 1...15 {
            let place = Double(2 * index)
            even = even * square / (place * (place - 1))
            odd = odd * square / (place * (place + 1))
            cosine = cosine + even
            sine = sine + odd
        }
        return (cosine, sine)
    }
}

/// Complex numbers of that precision.
package struct PreciseComplex: Sendable {
    package var real: DoubleDouble
    package var imaginary: DoubleDouble

    @inline(__always)
    package init(_ real: DoubleDouble, _ imaginary: DoubleDouble) {
        self.real = real
        self.imaginary = imaginary
    }

    package static let zero = PreciseComplex(.zero, .zero)
    package static let one = PreciseComplex(.one, .zero)

    var conjugate: PreciseComplex { PreciseComplex(real, -imaginary) }

    /// |z|², to binary64.
    package var square: Double { real.high * real.high + imaginary.high * imaginary.high }

    @inline(__always)
    package static func + (a: PreciseComplex, b: PreciseComplex) -> PreciseComplex {
        PreciseComplex(a.real + b.real, a.imaginary + b.imaginary)
    }

    @inline(__always)
    package static func - (a: PreciseComplex, b: PreciseComplex) -> PreciseComplex {
        PreciseComplex(a.real - b.real, a.imaginary - b.imaginary)
    }

    @inline(__always)
    package static func * (a: PreciseComplex, b: PreciseComplex) -> PreciseComplex {
        PreciseComplex(
            a.real * b.real - a.imaginary * b.imaginary,
            a.real * b.imaginary + a.imaginary * b.real)
    }

    /// By squaring: off by at most `exponent` times 2⁻⁹⁹ of its value.
    package func power(_ exponent: Int) -> PreciseComplex {
        var (base, result) = (self, PreciseComplex.one)
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = result * base }
            rest >>= 1
            if rest > 0 { base = base * base }
        }
        return result
    }
}
