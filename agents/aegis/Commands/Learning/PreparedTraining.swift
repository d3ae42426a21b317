import AegisData
import AegisLearning
import Glibc

/// A training whose data is read and whose model fits.
struct PreparedTraining {
    let dataset: DatasetDescription
    let description: ModelDescription
    let input: TensorShape
    let training: CentralTraining
    let test: Records?
    let base: [Float]

    init(
        _ content: DatasetContent, model name: String, from: String?,
        settings: CentralTraining.Settings, features: (Int) -> Void
    ) throws(Failure) {
        dataset = content.description
        let description = try ModelChoice.description(name, dataset: content.description)
        let input = try ModelChoice.input(description, content.description)
        let stored = try from.map { path throws(Failure) in
            try ModelChoice.stored(path, architecture: description, input: input)
        }
        self.description = stored?.description ?? description
        self.input = input
        let model = try Failure.translating {
            try (stored?.description ?? description).model(input: input)
        }
        if let stored, stored.model != model {
            throw Failure(.invalidInput, "the model to go on from takes other records")
        }
        let map = self.description.features
        let train = try Failure.translating {
            try content.train.mapped(by: map, progress: features)
        }
        test = try Failure.translating { try content.test?.mapped(by: map, progress: features) }
        let loss = self.description.loss
        training = try Failure.translating {
            try CentralTraining(settings, model: model, loss: loss, records: train)
        }
        base = stored?.parameters ?? training.initialParameters
    }

    /// One line of what a training tells.
    enum Event {
        case step(CentralTraining.Progress)
        case epoch(Epoch)
    }

    struct Epoch: Encodable {
        let epoch: Int
        let trainSeconds: Double
        let evalSeconds: Double
        /// On the test records; where there are none, of the last step's batch.
        let loss: Double
        let accuracy: Double?
        let epsilon: Double?
        let peakRssMb: Double

        private enum CodingKeys: String, CodingKey {
            case epoch, trainSeconds, evalSeconds, loss, accuracy, epsilon, peakRssMb
        }

        /// What has no value is null, so that every line has every field.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(epoch, forKey: .epoch)
            try container.encode(trainSeconds, forKey: .trainSeconds)
            try container.encode(evalSeconds, forKey: .evalSeconds)
            try container.encode(loss, forKey: .loss)
            try container.encode(accuracy, forKey: .accuracy)
            try container.encode(epsilon, forKey: .epsilon)
            try container.encode(peakRssMb, forKey: .peakRssMb)
        }
    }

    func run(_ show: (Event) -> Void) throws(Failure) -> [Float] {
        let clock = ContinuousClock()
        var start = clock.now
        return try Failure.translating {
            try training.run(from: base) { progress, parameters in
                guard let epoch = progress.epoch, let parameters else {
                    show(.step(progress))
                    return
                }
                let trained = clock.now
                let measured = test.map {
                    training.model.evaluate(
                        parameters, on: $0, loss: training.loss,
                        threads: training.settings.threads)
                }
                let measures = training.loss != .squaredError
                show(
                    .epoch(
                        Epoch(
                            epoch: epoch, trainSeconds: (trained - start).seconds,
                            evalSeconds: (clock.now - trained).seconds,
                            loss: measured?.loss ?? progress.loss,
                            accuracy: measures ? measured?.accuracy : nil,
                            epsilon: training.epsilon(afterSteps: progress.step),
                            peakRssMb: Self.peakMegabytes)))
                start = clock.now
            }
        }
    }

    /// Nil where nothing is set aside for the test.
    func measure(_ parameters: [Float]) -> ModelMeasure? {
        test.map {
            ModelMeasure(
                training.model, parameters, on: $0, loss: training.loss, target: dataset.target,
                threads: training.settings.threads)
        }
    }

    /// The most memory this process has had, in MB of 10⁶ bytes.
    private static var peakMegabytes: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return (Double(usage.ru_maxrss) * 1024 / 1e5).rounded() / 10
    }
}

extension Duration {
    var seconds: Double {
        let (whole, rest) = components
        return ((Double(whole) + Double(rest) * 1e-18) * 1e4).rounded() / 1e4
    }
}
