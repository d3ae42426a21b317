package import AegisCore
import CNoise

/// Draws each record of a data set into a step independently with probability q, counts its
/// steps, and is the only source of the events that are charged.
///
/// The draws decide who is protected by chance, so neither they nor the generator's state may
/// leave the node.
package struct PoissonSampler: Sendable {
    package let recordCount: Int
    package private(set) var steps = 0
    private let mechanism: SampledGaussian

    /// Nil unless 0 ≤ q ≤ 1, 0 ≤ σ ≤ 10⁹ and the data set can be indexed. The sampler carries σ
    /// so that its event says all that the accountant needs.
    package init?(samplingRate: Double, noiseMultiplier: Double, recordCount: Int) {
        guard recordCount >= 0,
            let mechanism = SampledGaussian(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier)
        else { return nil }
        self.recordCount = recordCount
        self.mechanism = mechanism
    }

    package var samplingRate: Double { mechanism.samplingRate }
    package var noiseMultiplier: Double { mechanism.noiseMultiplier }

    /// What has been drawn so far costs this.
    package var event: MechanismEvent { MechanismEvent(mechanism: mechanism, steps: steps) }

    /// What `steps` draws are going to cost: to be reserved before the first.
    package func event(afterSteps steps: Int) -> MechanismEvent {
        MechanismEvent(mechanism: mechanism, steps: steps)
    }

    /// The indices of one step, ascending.
    package mutating func draw(using generator: inout some RandomBlockGenerator) -> [Int] {
        step().indices(in: 0..<recordCount, using: &generator)
    }

    /// The next step, to be drawn in parts: it is counted here, whatever is drawn of it.
    package mutating func step() -> Step {
        steps += 1
        return Step(recordCount: recordCount, threshold: mechanism.samplingRateUnits)
    }

    /// One step's draw. Threads draw it together, each its own part of the records from a
    /// generator of its own, every part once.
    package struct Step: Sendable {
        package let recordCount: Int
        /// q·2⁶³, rounded up as in the event.
        private let threshold: UInt64

        fileprivate init(recordCount: Int, threshold: UInt64) {
            self.recordCount = recordCount
            self.threshold = threshold
        }

        private static let blockBytes = 16_384

        /// Those of `records` that are drawn, ascending. Each is compared by one random byte, and
        /// by 55 more bits only where that byte does not decide.
        package func indices(
            in records: Range<Int>, using generator: inout some RandomBlockGenerator
        ) -> [Int] {
            precondition((0..<recordCount).contains(records), "records of the data set")
            if threshold == SampledGaussian.samplingRateUnitsMax { return Array(records) }
            let mean = Double(threshold) * 0x1p-63 * Double(records.count)
            var drawn: [Int] = []
            drawn.reserveCapacity(Int(mean + 6 * mean.squareRoot()) + 16)
            withUnsafeTemporaryAllocation(byteCount: Self.blockBytes, alignment: 8) { block in
                for start in stride(
                    from: records.lowerBound, to: records.upperBound, by: Self.blockBytes)
                {
                    let count = min(Self.blockBytes, records.upperBound - start)
                    generator.fill(UnsafeMutableRawBufferPointer(rebasing: block[..<count]))
                    append(
                        to: &drawn, UnsafeRawBufferPointer(rebasing: block[..<count]), from: start,
                        using: &generator)
                }
                aegis_wipe(block.baseAddress, block.count)
            }
            return drawn
        }

        /// Of the records from `start` on, one for each byte, those that are drawn.
        private func append(
            to drawn: inout [Int], _ bytes: UnsafeRawBufferPointer, from start: Int,
            using generator: inout some RandomBlockGenerator
        ) {
            let first = UInt8(truncatingIfNeeded: threshold >> 55)
            let rest = threshold & (1 << 55 - 1)
            for word in stride(from: 0, to: bytes.count, by: 8) {
                let isWhole = word + 8 <= bytes.count
                guard
                    !isWhole
                        || Self.hasByte(
                            atMost: first, in: bytes.load(fromByteOffset: word, as: UInt64.self))
                else { continue }
                for position in word..<min(word + 8, bytes.count) where bytes[position] <= first {
                    if bytes[position] < first || generator.next() >> 9 < rest {
                        drawn.append(start + position)
                    }
                }
            }
        }

        /// False only where no byte of the word is at most `bound`; eight bytes in four operations.
        private static func hasByte(atMost bound: UInt8, in word: UInt64) -> Bool {
            guard bound < 128 else { return true }
            let ones: UInt64 = 0x0101_0101_0101_0101
            return (word &- ones &* (UInt64(bound) + 1)) & ~word & (ones << 7) != 0
        }
    }
}
