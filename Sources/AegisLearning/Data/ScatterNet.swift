import CScattering
import Glibc

/// Wavelet scattering features of images of 28 × 28: depth 2, J = 2 scales, L = 8 orientations
/// (Bruna and Mallat 2013; with a linear head under differential privacy, Tramèr and Boneh 2021).
///
/// Nothing in them is learned, so they cost no privacy: a record's features depend on that record
/// alone. The filter bank and the mirrored border are those of kymatio 0.3, which the tests
/// compare with.
package struct ScatterNet: Sendable {
    package static let side = Int(AEGIS_SCATTERING_SIDE)
    package static let channels = Int(AEGIS_SCATTERING_CHANNELS)
    /// Points of a channel: 7 × 7.
    package static let points = Int(AEGIS_SCATTERING_OUT) * Int(AEGIS_SCATTERING_OUT)
    /// Features of an image: channel after channel, 81 × 7 × 7.
    package static let width = channels * points
    /// The groups that normalise best on Fashion-MNIST in the paper's tables: three channels each.
    package static let groups = 27

    private static let padded = Int(AEGIS_SCATTERING_PADDED)
    private static let scales = 2
    private static let orientations = Int(AEGIS_SCATTERING_ORIENTATIONS)
    /// Of the narrowest wavelet, in pixels; it doubles with each scale.
    private static let sigma = 0.8

    private let wavelets: [Float]
    private let lowFull: [Float]
    private let lowHalf: [Float]

    package init() {
        wavelets = Self.wavelets()
        (lowFull, lowHalf) = Self.lowPass()
    }

    /// The features of `images`, 784 numbers each in [0, 1]. Where `groups` is not 0, a divisor of
    /// 81, each image's channels are brought to mean 0 and variance 1 group by group.
    package func features(of images: [Float], groups: Int = ScatterNet.groups) -> [Float] {
        precondition(images.count.isMultiple(of: Self.side * Self.side))
        precondition(groups == 0 || Self.channels.isMultiple(of: groups))
        let count = images.count / (Self.side * Self.side)
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: 4 * aegis_scattering_scratch(), alignment: 64)
        defer { scratch.deallocate() }
        return [Float](unsafeUninitializedCapacity: count * Self.width) { features, filled in
            aegis_scattering(
                images, count, wavelets, lowFull, lowHalf, groups, features.baseAddress,
                scratch.assumingMemoryBound(to: Float.self))
            filled = count * Self.width
        }
    }

    // MARK: - The filter bank

    /// The spectra of the 16 Morlet wavelets: real, as each wavelet is Hermitian.
    private static func wavelets() -> [Float] {
        var spectra: [Float] = []
        for scale in 0..<scales {
            let width = sigma * Double(1 << scale)
            let frequency = 0.75 * Double.pi / Double(1 << scale)
            for orientation in 0..<orientations {
                let angle = Double(3 - orientation) * Double.pi / Double(orientations)
                let wave = gabor(sigma: width, angle: angle, frequency: frequency)
                let envelope = gabor(sigma: width, angle: angle, frequency: 0)
                // What makes the wavelet's mean zero.
                let mean = (sum(wave.re) / sum(envelope.re), sum(wave.im) / sum(envelope.re))
                var (re, im) = wave
                for index in re.indices {
                    re[index] -= mean.0 * envelope.re[index]
                    im[index] -= mean.1 * envelope.re[index]
                }
                spectra += realSpectrum(re, im)
            }
        }
        return spectra
    }

    private static func sum(_ values: [Double]) -> Double { values.reduce(0, +) }

    /// A plane wave under a Gaussian, twice as long across the wave as along it, made periodic.
    private static func gabor(
        sigma: Double, angle: Double, frequency: Double
    ) -> (re: [Double], im: [Double]) {
        let slant: Double = 4 / Double(orientations)
        let square: Double = slant * slant
        let (c, s) = (cos(angle), sin(angle))
        let scale: Double = 1 / (2 * sigma * sigma)
        let xx: Double = (c * c + square * s * s) * scale
        let xy: Double = 2 * c * s * (1 - square) * scale
        let yy: Double = (s * s + square * c * c) * scale
        let norm: Double = slant / (2 * Double.pi * sigma * sigma)
        var re = [Double](repeating: 0, count: padded * padded)
        var im = re
        for row in 0..<padded {
            for column in 0..<padded {
                for wrap in 0..<25 {
                    let x = Double(row + (wrap / 5 - 2) * padded)
                    let y = Double(column + (wrap % 5 - 2) * padded)
                    var exponent: Double = xx * x * x
                    exponent += xy * x * y
                    exponent += yy * y * y
                    guard exponent < 50 else { continue }
                    let phase: Double = frequency * (x * c + y * s)
                    let height: Double = norm * exp(-exponent)
                    let index = row * padded + column
                    re[index] += height * cos(phase)
                    im[index] += height * sin(phase)
                }
            }
        }
        return (re, im)
    }

    /// The real part of the two-dimensional spectrum, lines first and then columns.
    private static func realSpectrum(_ re: [Double], _ im: [Double]) -> [Float] {
        let turns = (0..<padded).map { index -> (c: Double, s: Double) in
            let angle = -2 * Double.pi * Double(index) / Double(padded)
            return (cos(angle), sin(angle))
        }
        var (lineRe, lineIm) = (re, im)
        for row in 0..<padded {
            for k in 0..<padded {
                var (sumRe, sumIm) = (0.0, 0.0)
                for n in 0..<padded {
                    let turn = turns[n * k % padded]
                    let (a, b) = (re[row * padded + n], im[row * padded + n])
                    sumRe += a * turn.c - b * turn.s
                    sumIm += a * turn.s + b * turn.c
                }
                lineRe[row * padded + k] = sumRe
                lineIm[row * padded + k] = sumIm
            }
        }
        return (0..<padded * padded).map { index in
            let (k, column) = (index / padded, index % padded)
            var total = 0.0
            for n in 0..<padded {
                let turn = turns[n * k % padded]
                total += lineRe[n * padded + column] * turn.c - lineIm[n * padded + column] * turn.s
            }
            return Float(total)
        }
    }

    /// The low-pass is a Gaussian, so rows and columns are filtered one after the other. For
    /// every second sample its spectrum is cut at the new limit, as in kymatio.
    private static func lowPass() -> (full: [Float], half: [Float]) {
        let width = sigma * 2
        let height: Double = 1 / ((2 * Double.pi).squareRoot() * width)
        let filter = (0..<padded).map { index in
            (-2...2).reduce(0.0) { total, wrap in
                let x = Double(index + wrap * padded)
                return total + height * exp(-x * x / (2 * width * width))
            }
        }
        let half = padded / 2
        // Frequencies −9 to 8 are kept; the filter is even, so its spectrum is real.
        let spectrum = (-half / 2..<half / 2).map { k -> (k: Int, value: Double) in
            var value = 0.0
            for index in filter.indices {
                let angle: Double = 2 * Double.pi * Double(k * index) / Double(padded)
                value += filter[index] * cos(angle)
            }
            return (k, value)
        }
        let short = (0..<half).map { index -> Double in
            var value = 0.0
            for (k, height) in spectrum {
                let angle: Double = 2 * Double.pi * Double(k * index) / Double(half)
                value += height * cos(angle)
            }
            return value / Double(half)
        }
        func rows(_ filter: [Double], step: Int) -> [Float] {
            (1...7).flatMap { point in
                filter.indices.map { index in
                    Float(filter[(step * point - index + filter.count) % filter.count])
                }
            }
        }
        return (rows(filter, step: 4), rows(short, step: 2))
    }
}
