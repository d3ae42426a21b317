import AegisAPI
import AegisData
import AegisLearning
package import ArgumentParser
import Glibc

package struct TrainCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains a model in one place, with the code that nodes use.",
        discussion: """
            Needs no admin and no mesh. One of --epsilon (with --delta), --noise-multiplier or \
            --no-privacy says how private it is. With --output json, each epoch is one line.

            Example:
              aegis train --model cnn --dataset fashion-mnist --epochs 40 --batch-size 2048 \\
                --learning-rate 4 --momentum 0.9 --clip 0.1 --epsilon 2.7 --delta 1e-5 \\
                --save model.safetensors
            """)

    @OptionGroup package var data: DatasetOptions
    @OptionGroup package var training: TrainingOptions

    @Option(help: "Go on from this model, as when a mesh's model is tuned to one's own records.")
    package var from: String?
    @Option(help: "Write the trained model to this file, with its declaration in the header.")
    package var save: String?
    @Flag(help: "Let --save replace a file.")
    package var overwrite = false
    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package func run() throws {
        let settings = try training.settings()
        let file = try save.map { try NewFile($0, replacing: overwrite) }
        var screen = TrainingScreen(
            format: output, live: output == .text && Console.outputIsTerminal,
            width: Console.columns)
        Console.endCleanlyOnInterrupt()
        Console.write(screen.status("reading \(data.dataset)"))
        let content = try data.read { Console.write(screen.status("reading: \($0) records")) }
        let prepared = try PreparedTraining(
            content, model: training.model, from: from, settings: settings
        ) { Console.write(screen.status("features: \($0) records")) }
        Console.write(screen.began(prepared))
        let parameters = try prepared.run { Console.write(screen.show($0)) }
        Console.write(screen.ended(prepared.measure(parameters)))
        if let file {
            let stored = try Failure.translating {
                try StoredModel(
                    description: prepared.description, input: prepared.input,
                    parameters: parameters, dataset: content.description.name)
            }
            try file.write(stored.bytes)
            Console.write(screen.saved(file.path))
        }
    }
}

/// How a model is trained.
package struct TrainingOptions: ParsableArguments {
    @Option(help: "softmax, mlp, cnn, scatter-linear or a declaration: FILE.yaml.")
    package var model: String
    @Option(help: "Passes over the records, in the mean: n / B steps each.")
    package var epochs: Double
    @Option(help: "B: the expected batch, and what gradients are divided by.")
    package var batchSize: Int
    @Option(help: "Of the gradients' mean over B.")
    package var learningRate: Float
    @Option(help: "Of SGD.")
    package var momentum: Float = 0
    @Option(help: "C: no record's gradient counts for more. Required with privacy.")
    package var clip: Float?
    @Option(
        help: """
            flat; automatic: every gradient is scaled to about C; or adaptive: C follows a \
            quantile of the gradients' lengths.
            """)
    package var clipping: String = "flat"
    @Option(help: "Of adaptive clipping: the share of gradients no longer than C.")
    package var quantile: Double = 0.5
    @Option(help: "Of adaptive clipping: the noise on its count, in records (default: B / 20).")
    package var countNoise: Double?
    @Option(help: "σ: the noise on the summed gradients, over C.")
    package var noiseMultiplier: Double?
    @Option(help: "Take the least noise that keeps the whole training within this epsilon.")
    package var epsilon: Double?
    @Option(help: "The delta that goes with epsilon.")
    package var delta: Double = 1e-5
    @Flag(help: "No clipping and no noise.")
    package var noPrivacy = false
    @Option(help: "sgd or adam.")
    package var optimizer: String = "sgd"
    @Option(help: "constant, linear or cosine: how the rate falls, to 0 in the last step.")
    package var schedule: String = "constant"
    @Option(help: "Steps over which the rate first rises.")
    package var warmUp: Int = 0
    @Option(
        help: "Decay of the running mean of the parameters, such as 0.99: used instead of them.")
    package var averaging: Float?
    @Option(help: "Views of each image in a step: moved by up to --shift pixels.")
    package var views: Int = 1
    @Option(help: "Pixels that a view moves at most.")
    package var shift: Int = 1
    @Flag(help: "Half of the views are mirrored.")
    package var mirror = false
    @Option(help: "Pull towards the model that training began with (FedProx).")
    package var proximal: Float = 0
    @Option(help: "Threads that share a step.")
    package var threads: Int = 1
    @Option(help: "Seed of the first parameters; public. Sampling and noise never come from it.")
    package var seed: UInt64 = 1
    @Flag(help: "Sampling and noise from the seed too, for tests: the model is NOT private.")
    package var deterministic = false

    package init() {}

    func settings() throws(Failure) -> CentralTraining.Settings {
        guard epochs > 0, epochs <= 1e5, batchSize >= 1, threads >= 1, threads <= 256 else {
            throw Failure(.usage, "--epochs, --batch-size and --threads are above 0")
        }
        guard learningRate > 0, learningRate.isFinite, momentum >= 0, momentum < 1 else {
            throw Failure(.usage, "--learning-rate is above 0, --momentum from 0 to below 1")
        }
        let privacy = try privacy()
        let rule: Clipping.Rule
        switch clipping {
        case "flat": rule = .flat
        case "automatic": rule = .automatic()
        case "adaptive":
            let noise = countNoise ?? Double(batchSize) / 20
            guard quantile > 0, quantile < 1, noise > 0, noise.isFinite else {
                throw Failure(.usage, "--quantile is between 0 and 1, --count-noise above 0")
            }
            rule = .adaptive(Clipping.Adaptive(quantile: quantile, countNoise: noise))
        default:
            throw Failure(.usage, "--clipping is flat, automatic or adaptive, not \(clipping)")
        }
        let norm = clip ?? 1
        guard norm > 0, norm.isFinite else { throw Failure(.usage, "--clip is above 0") }
        guard views >= 1, views <= 64, shift >= 0, shift <= 14 else {
            throw Failure(.usage, "--views is 1 to 64, --shift 0 to 14")
        }
        if let averaging, !(averaging >= 0 && averaging < 1) {
            throw Failure(.usage, "--averaging is from 0 to below 1")
        }
        return CentralTraining.Settings(
            epochs: epochs, batchSize: batchSize, learningRate: try rate(),
            optimizer: try chosenOptimizer(), clipping: Clipping(norm: norm, rule: rule),
            privacy: privacy, averaging: averaging,
            augmentation: views > 1 || mirror
                ? Augmentation(views: views, shift: shift, mirror: mirror) : nil,
            proximal: proximal, threads: threads, seed: seed, deterministic: deterministic)
    }

    private func privacy() throws(Failure) -> CentralTraining.Privacy {
        let given = [noiseMultiplier != nil, epsilon != nil, noPrivacy].filter { $0 }.count
        guard given == 1 else {
            throw Failure(
                .usage, "give one of --epsilon, --noise-multiplier and --no-privacy",
                hint: "a training without privacy must say so")
        }
        if noPrivacy { return .none }
        guard clip != nil else { throw Failure(.usage, "private training needs --clip") }
        guard delta > 0, delta < 1 else { throw Failure(.usage, "--delta is between 0 and 1") }
        if let noiseMultiplier {
            guard noiseMultiplier > 0, noiseMultiplier <= 1e6 else {
                throw Failure(.usage, "--noise-multiplier is above 0")
            }
            return .noise(multiplier: noiseMultiplier, delta: delta)
        }
        return .budget(epsilon: epsilon ?? 0, delta: delta)
    }

    private func rate() throws(Failure) -> LearningRate {
        let kind: LearningRate.Schedule
        switch schedule {
        case "constant": kind = .constant
        case "linear": kind = .linear()
        case "cosine": kind = .cosine()
        default:
            throw Failure(.usage, "--schedule is constant, linear or cosine, not \(schedule)")
        }
        return LearningRate(learningRate, schedule: kind, warmUp: max(0, warmUp))
    }

    private func chosenOptimizer() throws(Failure) -> Optimizer {
        switch optimizer {
        case "sgd": return .sgd(momentum: momentum)
        case "adam": return .adam()
        default: throw Failure(.usage, "--optimizer is sgd or adam, not \(optimizer)")
        }
    }
}
