import AegisCrypto
import AegisData
import AegisLearning
import AegisPrivacy
package import ArgumentParser

/// The most noise with which a model still learns enough.
package struct PrivacyTargetCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "target",
        abstract: "The least epsilon with which a model reaches an accuracy, by pilot trainings.",
        discussion: """
            Trains again and again, with as much noise as still reaches the accuracy on the test
            records, and prints the curve. On public and stand-in records the pilot is repeatable:
            the same options, the same curve.

            Trying settings on private records reveals them too, so there the search itself must
            be paid for. With --charge, all --trainings of it are charged to the ledger at the
            least noise before the first begins, and the whole curve is told. With --stopping,
            how many trainings there are is drawn at random, only the best is told, and the search
            costs what Papernot and Steinke (2022) prove; no ledger is written.

            Example:
              aegis privacy target --dataset fashion-mnist --model softmax --accuracy 0.78 \\
                --epochs 5 --batch-size 1024 --learning-rate 2 --clip 0.5 --delta 1e-5
            """)

    @OptionGroup package var data: DatasetOptions
    @OptionGroup package var training: TrainingOptions
    @OptionGroup package var payment: SearchPayment

    @Option(help: "What the model must reach on the test records, from 0 to 1.")
    package var accuracy: Double
    @Option(help: "The least noise multiplier to try.")
    package var noiseMin: Double = 0.3
    @Option(help: "The greatest noise multiplier to try.")
    package var noiseMax: Double = 30
    @Option(help: "How many trainings at most.")
    package var trainings: Int = 12
    @Option(help: "text or json: a line for each training, and one for what was found.")
    package var output: ReportFormat = .text

    package init() {}

    package func run() throws {
        guard training.noiseMultiplier == nil, training.epsilon == nil, !training.noPrivacy else {
            throw Failure(
                .usage, "the noise is what is looked for",
                hint: "leave out --noise-multiplier, --epsilon and --no-privacy")
        }
        guard (1...1_000).contains(trainings), noiseMin > 0, noiseMin <= noiseMax, noiseMax <= 1e6
        else {
            throw Failure(
                .usage, "--trainings is 1 to 1000, --noise-min above 0 and at most --noise-max")
        }
        var options = training
        options.noiseMultiplier = noiseMin
        var payment = try payment.checked(dataset: data.dataset)
        // On private records noise and sampling must be nobody's to repeat.
        options.deterministic = !payment.isPrivate
        let prepared = try PreparedTraining(
            try data.read(), model: training.model, from: nil, settings: try options.settings()
        ) { _ in }
        guard let test = prepared.test, prepared.training.loss != .squaredError else {
            throw Failure(
                .invalidInput, "there is no accuracy to reach",
                hint: "the data set needs classes, and test records set aside")
        }
        let pilot = PilotTraining(prepared, test: test)
        let targeting: AccuracyTargeting
        do throws(TargetingError) {
            targeting = try AccuracyTargeting(
                goal: accuracy, delta: training.delta, samplingRate: pilot.samplingRate,
                steps: pilot.steps, noise: noiseMin...noiseMax)
        } catch {
            throw Failure(.usage, "--accuracy is above 0 and at most 1")
        }
        try payment.charge(targeting, trainings: trainings)
        Console.write(try search(targeting, payment, pilot))
    }

    private func search(
        _ targeting: AccuracyTargeting, _ payment: SearchPayment.Checked, _ pilot: PilotTraining
    ) throws -> String {
        var generator = CryptographicGenerator()
        do {
            let report = try targeting.search(
                on: payment.data, trainingsMax: trainings, using: &generator
            ) { phase in
                let reached = try pilot.accuracy(noiseMultiplier: phase.noiseMultiplier)
                // Of a search that is paid for by random stopping, only the best may be told.
                if output == .text, Console.outputIsTerminal, payment.tellsAll {
                    Console.writeError("noise \(phase.noiseMultiplier): accuracy \(reached)\n")
                }
                return reached
            }
            let result = TargetReport(
                report, goal: accuracy, delta: training.delta, payment, trainings: trainings)
            return output == .json ? result.json : result.text(width: Console.columns)
        } catch TargetingError.goalNotReached(let best) {
            throw Failure(
                .failure, "no training reached accuracy \(accuracy)",
                details: payment.tellsAll ? ["the best reached \(best)"] : [],
                hint: "lower --noise-min, train longer, or ask for less")
        }
    }
}

/// One model, trained again and again with other noise.
struct PilotTraining {
    private let prepared: PreparedTraining
    private let test: Records

    init(_ prepared: PreparedTraining, test: Records) {
        self.prepared = prepared
        self.test = test
    }

    var samplingRate: Double { prepared.training.samplingRate }
    var steps: Int { prepared.training.steps }

    /// On the test records, after a whole training.
    func accuracy(noiseMultiplier: Double) throws(Failure) -> Double {
        try Failure.translating {
            let whole = prepared.training
            var settings = whole.settings
            if case .noise(_, let delta) = settings.privacy {
                settings.privacy = .noise(multiplier: noiseMultiplier, delta: delta)
            }
            let training = try CentralTraining(
                settings, model: whole.model, loss: whole.loss, records: whole.records)
            let parameters = try training.run(from: training.initialParameters) { _, _ in }
            return training.model.evaluate(
                parameters, on: test, loss: training.loss, threads: settings.threads
            ).accuracy
        }
    }
}

/// What a search found, as people and programs read it.
struct TargetReport {
    private let report: AccuracyTargeting.Report
    private let goal: Double
    private let delta: Double
    private let payment: SearchPayment.Checked
    private let searchEpsilon: Double

    init(
        _ report: AccuracyTargeting.Report, goal: Double, delta: Double,
        _ payment: SearchPayment.Checked, trainings: Int
    ) {
        self.report = report
        self.goal = goal
        self.delta = delta
        self.payment = payment
        searchEpsilon = payment.charged ?? report.searchEpsilon
    }

    private var curve: [AccuracyTargeting.Point] {
        payment.tellsAll ? report.curve : [report.chosen]
    }

    var json: String {
        func fields(_ point: AccuracyTargeting.Point) -> String {
            "\"noise_multiplier\":\(point.noiseMultiplier),"
                + "\"epsilon\":\(PrivacyBatch.number(point.epsilon)),"
                + "\"accuracy\":\(point.accuracy)"
        }
        var lines = curve.map { "{\(fields($0))}" }
        lines.append(
            "{\"chosen\":{\(fields(report.chosen))},\"goal\":\(goal),\"delta\":\(delta),"
                + "\"records\":\"\(payment.records.rawValue)\","
                + "\"search_epsilon\":\(PrivacyBatch.number(searchEpsilon))}")
        return lines.joined(separator: "\n") + "\n"
    }

    func text(width: Int) -> String {
        let chosen = report.chosen
        let table = Table(
            [
                .init("NOISE MULTIPLIER", .right), .init("EPSILON", .right),
                .init("ACCURACY", .right), .init(""),
            ],
            rows: curve.map { point in
                [
                    Output.number(point.noiseMultiplier, places: 4),
                    PrivacyEpsilon.shown(point.epsilon),
                    Output.number(point.accuracy, places: 4),
                    point == chosen ? "<- chosen" : point.accuracy >= goal ? "" : "too low",
                ]
            })
        var text = "accuracy \(goal) with noise multiplier "
        text += "\(Output.number(chosen.noiseMultiplier, places: 4)): epsilon "
        text += "\(PrivacyEpsilon.shown(chosen.epsilon)) at delta \(delta)\n\n"
        text += table.text(width: max(60, width))
        // What costs far more than was needed would press all the rest to the left.
        let points = curve.filter { $0.epsilon <= 20 * chosen.epsilon }
            .map { ($0.epsilon, $0.accuracy) }
        if points.count > 1 {
            let chart = TextChart(title: "accuracy", xLabel: "epsilon", points: points)
            text += "\n" + chart.text(width: width)
        }
        return text + "\n" + payment.words(searchEpsilon: searchEpsilon) + "\n"
    }
}
