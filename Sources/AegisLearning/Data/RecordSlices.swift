extension Records {
    /// The records at `rows`, in that order.
    package func keeping(_ rows: [Int]) throws(RecordsError) -> Records {
        precondition(rows.allSatisfy { (0..<count).contains($0) })
        let kept: Features
        switch features {
        case .bytes(let bytes, let scaling):
            kept = .bytes(Self.rows(rows, of: bytes, width: inputs), scaling)
        case .floats(let values): kept = .floats(Self.rows(rows, of: values, width: inputs))
        case .tokens(let values, let starts):
            var tokens: [Int32] = []
            var begins = [0]
            for row in rows {
                tokens += values[starts[row]..<starts[row + 1]]
                begins.append(tokens.count)
            }
            kept = .tokens(values: tokens, starts: begins)
        }
        let targets: Targets
        switch self.targets {
        case .classes(let labels, let count):
            targets = .classes(rows.map { labels[$0] }, count: count)
        case .values(let values, let width):
            targets = .values(Self.rows(rows, of: values, width: width), width: width)
        }
        return try Records(features: kept, targets: targets, inputs: inputs)
    }

    private static func rows<Value>(_ rows: [Int], of values: [Value], width: Int) -> [Value] {
        var kept: [Value] = []
        kept.reserveCapacity(rows.count * width)
        for row in rows { kept += values[row * width..<(row + 1) * width] }
        return kept
    }
}

extension TableSplit {
    /// The rows for training and for the test, where the split needs no column.
    package func rows(count: Int) -> (train: [Int], test: [Int]) {
        guard case .share(let share, let seed) = self else { return (Array(0..<count), []) }
        var (train, test): ([Int], [Int]) = ([], [])
        for row in 0..<count {
            if Self.isTest(row: row, below: UInt64(share * 0x1p53), seed: seed) {
                test.append(row)
            } else {
                train.append(row)
            }
        }
        return (train, test)
    }
}

extension Records {
    /// The records after `map`. Features of `ScatterNet` are kept as bytes, in steps of 0.04: a
    /// quarter of the memory, and far below what noise and clipping leave of them.
    package func mapped(
        by map: ModelDescription.FeatureMap, progress: (Int) -> Void = { _ in }
    ) throws(RecordsError) -> Records {
        guard case .scatterNet(let groups) = map else { return self }
        precondition(inputs == ScatterNet.side * ScatterNet.side)
        let (scale, offset) = groups == 0 ? (1 / Float(255), Float(0)) : (0.04, -2.6)
        let net = ScatterNet()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * ScatterNet.width)
        for start in stride(from: 0, to: count, by: 1024) {
            let rows = start..<min(start + 1024, count)
            for value in net.features(of: unit(rows), groups: groups) {
                bytes.append(UInt8(min(max((value - offset) / scale, 0), 255).rounded()))
            }
            progress(rows.upperBound)
        }
        return try Records(
            features: .bytes(bytes, FeatureScaling(scale: scale, offset: offset)),
            targets: targets, inputs: ScatterNet.width)
    }

    /// The values of some records in [0, 1]: bytes as they are, numbers as the declared bounds
    /// brought them to [−1, 1].
    private func unit(_ rows: Range<Int>) -> [Float] {
        let range = rows.lowerBound * inputs..<rows.upperBound * inputs
        switch features {
        case .bytes(let bytes, _): return bytes[range].map { Float($0) / 255 }
        case .floats(let values): return values[range].map { ($0 + 1) / 2 }
        case .tokens: preconditionFailure("an image has no tokens")
        }
    }
}
