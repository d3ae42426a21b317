import AegisAggregation
import AegisCore
import Synchronization
import Testing

@Suite("The same bits everywhere")
struct DeterminismTests {
    static let aggregators: [Aggregator] = [
        Aggregator(rule: .mean), Aggregator(rule: .weightedMean), Aggregator(rule: .median),
        Aggregator(rule: .weightedMedian), Aggregator(rule: .trimmedMean(byzantine: 2)),
        Aggregator(rule: .weightedTrimmedMean(byzantine: 2)),
        Aggregator(rule: .meanAroundMedian(byzantine: 2)),
        Aggregator(rule: .krum(byzantine: 2)),
        Aggregator(rule: .multiKrum(byzantine: 2, kept: nil)),
        Aggregator(rule: .bulyan(byzantine: 2)), Aggregator(rule: .geometricMedian),
        Aggregator(rule: .smoothedWeiszfeld(smoothing: 1e-3, steps: 4, fromMean: true)),
        Aggregator(rule: .centeredClipping(radius: 50, steps: 3)),
        Aggregator(rule: .minimumDiameter(byzantine: 2)),
        Aggregator(rule: .monna(byzantine: 2, own: testNode(3))),
        Aggregator(rule: .trustByReference),
        Aggregator(
            preSteps: [.nearestNeighbourMixing(byzantine: 2)], rule: .trimmedMean(byzantine: 2)),
        Aggregator(preSteps: [.nearestNeighbourMixing(byzantine: 2)], rule: .krum(byzantine: 2)),
        Aggregator(
            preSteps: [.adaptiveClipping(byzantine: 2), .nearestNeighbourMixing(byzantine: 2)],
            rule: .meanAroundMedian(byzantine: 2)),
        Aggregator(preSteps: [.bucketing(size: 2, order: .seed(.zero))], rule: .median),
        Aggregator(preSteps: [.normClipping(radius: 100)], rule: .geometricMedian),
    ]

    // More than three chunks, and not a whole number of blocks.
    private static let length = 100_003
    private let updates = nodeUpdates(
        (0..<11).map { random(Self.length, seed: UInt64($0 + 1)) },
        weights: (0..<11).map { Double(1 + $0 * 7 % 5) })
    private let reference = random(Self.length, seed: 77)

    @Test("any instructions, any number of threads, any order", arguments: aggregators)
    func executions(_ aggregator: Aggregator) throws {
        var aggregator = aggregator
        var results: Set<Aggregation> = []
        for instructions in Execution.Instructions.available {
            for threads in 1...3 {
                aggregator.execution = Execution(threads: threads, instructions: instructions)
                results.insert(
                    try aggregator.aggregate(updates, reference: reference))
            }
        }
        results.insert(
            try aggregator.aggregate(updates.reversed(), reference: reference))
        #expect(results.count == 1)
    }

    @Test("golden bits: debug, release and sanitizer builds, this version and the next")
    func golden() throws {
        var all: UInt64 = 0
        for aggregator in Self.aggregators {
            let values = try aggregator.aggregate(updates, reference: reference).values
            all = (all ^ fingerprint(values)) &* 0x100_0000_01b3
        }
        #expect(all == 13_302_644_017_760_028_623)
    }

    // These numbers come from NumPy, computed in the same order.
    @Test("golden bits that another program computed")
    func independent() throws {
        let updates = nodeUpdates((0..<5).map { random(10_000, seed: UInt64($0 + 99)) })
        let mean = try Aggregator(rule: .mean).aggregate(updates).values
        let trimmed = try Aggregator(rule: .trimmedMean(byzantine: 1)).aggregate(updates).values
        #expect(fingerprint(mean) == 6_348_492_409_341_947_612)
        #expect(fingerprint(trimmed) == 6_027_343_228_063_680_162)
        let norm = try IntakeCheck(parameterCount: 10_000, normMax: 1e9)
            .check(random(10_000, seed: 99))
        #expect(norm.bitPattern == 4_633_283_851_010_361_779)
    }

    @Test("unaligned memory gives the bits of aligned memory")
    func unaligned() throws {
        var memory: [UnsafeMutableRawBufferPointer] = []
        defer { for block in memory { block.deallocate() } }
        var raw: [NodeUpdate] = []
        for update in updates {
            let block = UnsafeMutableRawBufferPointer.allocate(
                byteCount: 4 * Self.length + 1, alignment: 16)
            memory.append(block)
            let unaligned = UnsafeMutableRawBufferPointer(rebasing: block.dropFirst())
            update.values.withBytes { unaligned.copyMemory(from: $0) }
            let source = try #require(RawUpdate(UnsafeRawBufferPointer(unaligned)))
            raw.append(NodeUpdate(node: update.node, weight: update.weight, values: source))
        }
        for aggregator in Self.aggregators {
            #expect(
                try aggregator.aggregate(raw, reference: reference)
                    == aggregator.aggregate(updates, reference: reference))
        }
    }

    @Test("sources hear of every value that was read", arguments: aggregators)
    func passed(_ aggregator: Aggregator) throws {
        var aggregator = aggregator
        aggregator.execution = Execution(threads: 2)
        let readings = updates.map { _ in Reading(Self.length) }
        let observed = zip(updates, readings).map { update, reading in
            NodeUpdate(
                node: update.node, weight: update.weight,
                values: ObservedUpdate(values: update.values, reading: reading))
        }
        #expect(
            try aggregator.aggregate(observed, reference: reference)
                == aggregator.aggregate(updates, reference: reference))
        for reading in readings { #expect(reading.times.allSatisfy { $0 >= 1 }) }
    }

    // xoshiro256** and Fisher-Yates, in Python.
    @Test("buckets come from the seed as another program draws them")
    func buckets() throws {
        let seed = try #require(Digest((0..<32).map { UInt8($0 * 7 + 1) }))
        let updates = nodeUpdates((0..<12).map { [Float(1 << $0)] })
        let rows = try Aggregator.mixed(updates, by: [.bucketing(size: 1, order: .seed(seed))])
        #expect(
            rows.map { Int($0[0]).trailingZeroBitCount } == [0, 3, 7, 10, 5, 11, 2, 4, 8, 6, 9, 1])
    }
}

private final class Reading: Sendable {
    private let counts: Mutex<[Int]>

    init(_ length: Int) { counts = Mutex([Int](repeating: 0, count: length)) }

    var times: [Int] { counts.withLock { $0 } }

    func passed(_ range: Range<Int>) {
        counts.withLock { counts in for index in range { counts[index] += 1 } }
    }
}

private struct ObservedUpdate: UpdateSource {
    let values: any UpdateSource
    let reading: Reading

    var count: Int { values.count }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        values.withBytes(body)
    }

    func passed(_ range: Range<Int>) { reading.passed(range) }
}
