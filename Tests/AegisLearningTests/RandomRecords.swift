import AegisLearning

/// Records as the trainer gets them, and as the oracle does.
struct TestRecords {
    let records: Records
    let naive: [NaiveModel.Record]
}

/// Random records whose classes can be told apart.
func testRecords(
    count: Int, inputs: Int, classes: Int, seed: UInt64
) throws -> TestRecords {
    var generator = SplitMix64(seed: seed)
    let centres = (0..<classes).map { _ in
        (0..<inputs).map { _ in Int(generator.next() % 156) + 50 }
    }
    var features: [UInt8] = []
    var labels: [UInt8] = []
    for _ in 0..<count {
        let label = Int(generator.next() % UInt64(classes))
        labels.append(UInt8(label))
        for column in 0..<inputs {
            features.append(UInt8(centres[label][column] + Int(generator.next() % 99) - 49))
        }
    }
    let records = try Records(features: features, labels: labels, classes: classes)
    let scaling = FeatureScaling.centred
    let naive = (0..<count).map { row in
        NaiveModel.Record(
            values: (0..<inputs).map {
                Double(Float(features[row * inputs + $0]) * scaling.scale + scaling.offset)
            },
            label: Int(labels[row]))
    }
    return TestRecords(records: records, naive: naive)
}

/// Random numbers and targets that suit the loss.
func randomRecords(
    count: Int, inputs: Int, outputs: Int, loss: Loss, seed: UInt64
) throws -> TestRecords {
    var generator = SplitMix64(seed: seed)
    func number() -> Float { Float(Int(generator.next() % 2001) - 1000) / 700 }
    let values = (0..<count * inputs).map { _ in number() }
    var naive = (0..<count).map { row in
        NaiveModel.Record(values: values[row * inputs..<(row + 1) * inputs].map(Double.init))
    }
    let targets: Records.Targets
    switch loss {
    case .crossEntropy:
        let labels = (0..<count).map { _ in UInt8(generator.next() % UInt64(outputs)) }
        for row in 0..<count { naive[row].label = Int(labels[row]) }
        targets = .classes(labels, count: outputs)
    case .binaryCrossEntropy, .squaredError:
        let wanted = (0..<count * outputs).map { _ in
            loss == .squaredError ? number() : Float(generator.next() % 2)
        }
        for row in 0..<count {
            naive[row].targets = wanted[row * outputs..<(row + 1) * outputs].map(Double.init)
        }
        targets = .values(wanted, width: outputs)
    }
    return TestRecords(
        records: try Records(features: .floats(values), targets: targets, inputs: inputs),
        naive: naive)
}

/// Records of up to `most` tokens, among them none and padding.
func tokenRecords(
    count: Int, vocabulary: Int, most: Int, classes: Int, seed: UInt64
) throws -> TestRecords {
    var generator = SplitMix64(seed: seed)
    var (values, starts): ([Int32], [Int]) = ([], [0])
    var naive: [NaiveModel.Record] = []
    for _ in 0..<count {
        var record = NaiveModel.Record(label: Int(generator.next() % UInt64(classes)))
        for _ in 0..<generator.next() % UInt64(most + 1) {
            let isPadding = generator.next() % 4 == 0
            let token = Int(generator.next() % UInt64(vocabulary))
            values.append(isPadding ? -1 : Int32(token))
            if !isPadding { record.tokens.append(token) }
        }
        starts.append(values.count)
        naive.append(record)
    }
    let labels = naive.map { UInt8($0.label) }
    return TestRecords(
        records: try Records(
            features: .tokens(values: values, starts: starts),
            targets: .classes(labels, count: classes), inputs: 0),
        naive: naive)
}
