import AegisLearning
import AegisSimulation

/// How the records are dealt out to the nodes.
enum Split: String, CaseIterable {
    case uniform = "iid"
    case dirichlet = "dirichlet-0.3"

    var partition: Partition {
        switch self {
        case .uniform: .uniform
        case .dirichlet: .dirichlet(concentration: 0.3)
        }
    }

    var title: String {
        switch self {
        case .uniform: "IID: every node a random part"
        case .dirichlet: "Dirichlet 0.3: few classes on each node"
        }
    }
}

/// What is the same in every run of the table.
struct Setting {
    var nodes = 11
    var byzantine = 2
    var rounds = 20
    var localSteps = 10
    var batch = 32
    var learningRate: Float = 0.1
    var hidden = [32]
    var trainRecords = 11_000
    var testRecords = 2_000

    /// For the head of the table.
    var description: String {
        let model = hidden.isEmpty ? "softmax regression" : "MLP with hidden layers \(hidden)"
        return "\(nodes) nodes of which \(byzantine) hostile, \(model), \(rounds) rounds of "
            + "\(localSteps) steps, batch \(batch), learning rate \(learningRate), "
            + "\(trainRecords) training records, \(testRecords) test records, no privacy"
    }
}

/// What a run ends with, in per cent.
struct Outcome {
    let accuracy: Double
    /// The share of records of other classes that the trigger sends to its target.
    let backdoorSuccess: Double
}

/// Runs with one split and one seed: the data are prepared once for all attacks and rules.
struct Experiment {
    private let setting: Setting
    private let seed: UInt64
    private let images: ImageFolder
    private let slices: [[Int]]
    private let honest: [Records]
    private let test: Records
    private let triggered: Records
    private let model: Model

    init(_ setting: Setting, images: ImageFolder, split: Split, seed: UInt64) throws {
        self.setting = setting
        self.images = images
        self.seed = seed
        slices = try split.partition.slices(
            labels: images.labels, nodes: setting.nodes, seed: seed, recordsMin: setting.batch)
        honest = try slices.map { try Self.records(images, $0, poisoning: nil) }
        test = try Records(
            features: images.testPixels, labels: images.testLabels, classes: ImageFolder.classes,
            scaling: .fashionMNIST)
        triggered = try Self.triggered(images)
        model = try Model.multilayerPerceptron(
            inputs: images.pixelsPerImage, hidden: setting.hidden,
            classes: ImageFolder.classes)
    }

    /// The hostile nodes are the last ones.
    func run(_ attack: Attack, rule: TableRule) throws -> Outcome {
        let hostileCount = setting.byzantine
        let honestCount = setting.nodes - hostileCount
        var records = honest
        if let poisoning = attack.poisoning {
            for node in honestCount..<setting.nodes {
                records[node] = try Self.records(images, slices[node], poisoning: poisoning)
            }
        }
        var adversary = Adversary(attack, count: hostileCount, seed: seed)
        var parameters = model.initialParameters(seed: seed)
        for round in 1...setting.rounds {
            let updates = try (0..<setting.nodes).map { node in
                try train(parameters, records[node], node: node, round: round)
            }
            let hostile = adversary.updates(
                honest: Array(updates[..<honestCount]), own: Array(updates[honestCount...])
            ) { values in
                try? rule.aggregate(values, weights: values.map { _ in 1 }, f: hostileCount)
            }
            let weights = slices.enumerated().map { node, slice in
                node < honestCount
                    ? UInt64(slice.count)
                    : max(UInt64(slice.count), hostile[node - honestCount].weight)
            }
            let aggregate = try rule.aggregate(
                updates[..<honestCount] + hostile.map(\.values), weights: weights,
                f: hostileCount)
            for index in parameters.indices { parameters[index] += aggregate[index] }
            guard parameters.allSatisfy(\.isFinite) else {
                return Outcome(accuracy: 0, backdoorSuccess: 0)
            }
        }
        return Outcome(
            accuracy: 100 * model.evaluate(parameters, on: test).accuracy,
            backdoorSuccess: 100 * model.evaluate(parameters, on: triggered).accuracy)
    }

    private func train(
        _ base: [Float], _ records: Records, node: Int, round: Int
    ) throws -> [Float] {
        let plan = TrainingPlan(
            model: model, steps: setting.localSteps, expectedBatch: setting.batch,
            learningRate: LearningRate(setting.learningRate))
        var generator = SplitMix64(
            seed: seed &* 1_000_003 &+ UInt64(node * 10_007 + round))
        do {
            return try Trainer.trainWithoutPrivacy(
                plan, from: base, on: records,
                samplingRate: min(1, Double(setting.batch) / Double(records.count)),
                using: &generator
            ).update
        } catch TrainingError.diverged {
            // A model that an attack has blown up: an honest node has nothing to add to it.
            return [Float](repeating: 0, count: base.count)
        }
    }

    private static func records(
        _ images: ImageFolder, _ rows: [Int], poisoning: DataPoisoning?
    ) throws -> Records {
        var pixels = images.pixels(of: rows)
        var labels = rows.map { images.labels[$0] }
        poisoning?.apply(to: &pixels, labels: &labels, classes: ImageFolder.classes)
        return try Records(
            features: pixels, labels: labels, classes: ImageFolder.classes,
            scaling: .fashionMNIST)
    }

    /// Test records of other classes than the target, all with the trigger and its label.
    private static func triggered(_ images: ImageFolder) throws -> Records {
        let trigger = BackdoorTrigger()
        let size = images.pixelsPerImage
        var pixels: [UInt8] = []
        for (row, label) in images.testLabels.enumerated() where label != trigger.target {
            var image = images.testPixels[row * size..<(row + 1) * size]
            trigger.stamp(&image)
            pixels += image
        }
        return try Records(
            features: pixels,
            labels: [UInt8](repeating: trigger.target, count: pixels.count / size),
            classes: ImageFolder.classes, scaling: .fashionMNIST)
    }
}

enum ExperimentError: Error {
    case malformedResults(line: Int)
}
