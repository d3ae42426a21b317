import AegisLearning
import Testing

@Suite("Partitions")
struct PartitionTests {
    private let labels: [UInt8] = (0..<6000).map { UInt8($0 * 7 % 10) }

    @Test(
        "slices are disjoint, ascending, and together everything",
        arguments: [
            Partition.uniform, .dirichlet(concentration: 0.1), .dirichlet(concentration: 5),
        ]
    )
    func cover(partition: Partition) throws {
        let slices = try partition.slices(labels: labels, nodes: 5, seed: 3, recordsMin: 10)
        #expect(slices.count == 5)
        #expect(slices.allSatisfy { $0 == $0.sorted() && $0.count >= 10 })
        #expect(slices.flatMap(\.self).sorted() == Array(0..<6000))
        #expect(
            try partition.slices(labels: labels, nodes: 5, seed: 3, recordsMin: 10) == slices)
        #expect(
            try partition.slices(labels: labels, nodes: 5, seed: 4, recordsMin: 10) != slices)
    }

    @Test("uniform slices have equal sizes and every class")
    func uniform() throws {
        let slices = try Partition.uniform.slices(labels: labels, nodes: 7, seed: 1)
        #expect(slices.allSatisfy { (857...858).contains($0.count) })
        for slice in slices {
            for label in UInt8(0)..<10 {
                let count = slice.count { labels[$0] == label }
                #expect((45...130).contains(count))
            }
        }
    }

    /// The mean over classes of the largest share a node has.
    private func concentration(_ alpha: Double) throws -> Double {
        var total = 0.0
        for seed in UInt64(0)..<20 {
            let slices = try Partition.dirichlet(concentration: alpha)
                .slices(labels: labels, nodes: 5, seed: seed)
            for label in UInt8(0)..<10 {
                let counts = slices.map { $0.count { labels[$0] == label } }
                total += Double(counts.max() ?? 0) / 600
            }
        }
        return total / 200
    }

    @Test("the smaller α, the more uneven: the largest share's mean is the distribution's")
    func dirichlet() throws {
        // Means of the largest of five shares, from 10⁶ NumPy draws each.
        for (alpha, expected) in [(0.1, 0.808), (0.5, 0.5546), (1, 0.4567), (100, 0.2238)] {
            let found = try concentration(alpha)
            #expect(abs(found - expected) < 0.04, "α \(alpha): \(found)")
        }
    }

    @Test("what cannot be dealt out is refused")
    func refused() {
        #expect(throws: PartitionError.noNodes) {
            try Partition.uniform.slices(labels: labels, nodes: 0, seed: 1)
        }
        #expect(throws: PartitionError.tooFewRecords(records: 3, nodes: 4)) {
            try Partition.uniform.slices(labels: [0, 1, 2], nodes: 4, seed: 1)
        }
        for alpha in [0, -1, .nan, .infinity] as [Double] {
            #expect(throws: PartitionError.invalidConcentration) {
                try Partition.dirichlet(concentration: alpha)
                    .slices(labels: labels, nodes: 4, seed: 1)
            }
        }
        #expect(throws: PartitionError.tooUneven(recordsMin: 1200)) {
            try Partition.dirichlet(concentration: 0.1)
                .slices(labels: labels, nodes: 5, seed: 1, recordsMin: 1200)
        }
    }
}
