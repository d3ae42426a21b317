import AegisCore
import AegisCrypto
import AegisLearning
import AegisPrivacy
import Glibc

// Measures training speed: one JSON line for each model, batch and mode. `compare` beside this
// file runs it and the rivals, and prints one table.

struct Options {
    var data = ""
    var models = ["softmax", "mlp", "cnn"]
    var batches = [256, 2048]
    var modes = ["private", "plain"]
    var threads = 1
    var repetitions = 3
    var microBatch: Int?

    init(_ arguments: [String]) {
        var arguments = arguments[...]
        func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
        while let name = arguments.popFirst(), let value = arguments.popFirst() {
            switch name {
            case "--data": data = value
            case "--models": models = list(value)
            case "--batches": batches = list(value).compactMap { Int($0) }
            case "--modes": modes = list(value)
            case "--threads": threads = Int(value) ?? 1
            case "--repetitions": repetitions = Int(value) ?? 3
            case "--micro-batch": microBatch = Int(value)
            default: fail("unknown option \(name)")
            }
        }
        if data.isEmpty { fail("--data FOLDER with the uncompressed IDX files is missing") }
    }
}

func fail(_ reason: String) -> Never {
    let line = Array("learning-speed: error: \(reason)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(64)
}

func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Resident memory in MB: the peak, or now.
func memory(_ key: String) -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        if text.hasPrefix(key) {
            let digits = text.filter(\.isNumber)
            return (Int(digits) ?? 0) / 1024
        }
    }
    return 0
}

func text(_ value: Double?) -> String { "\(((value ?? 0) * 1000).rounded() / 1000)" }

func forgetPeak() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
}

func withFile<Result>(
    _ path: String, _ body: ((Int) throws -> [UInt8]) throws -> Result
) throws -> Result {
    guard let file = fopen(path, "rb") else { fail("can't read \(path)") }
    defer { fclose(file) }
    return try body { count in
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = fread(buffer.baseAddress, 1, count, file)
        }
    }
}

func records(_ data: String) throws -> Records {
    let images = try withFile("\(data)/train-images-idx3-ubyte") {
        try IDXParser.images(pull: $0)
    }
    let labels = try withFile("\(data)/train-labels-idx1-ubyte") {
        try IDXParser.labels(pull: $0)
    }
    return try Records(images: images, labels: labels, classes: 10, scaling: .fashionMNIST)
}

func model(_ name: String) throws -> Model {
    switch name {
    case "softmax": try Model.softmax(inputs: 784, classes: 10)
    case "mlp": try Model.multilayerPerceptron(inputs: 784, hidden: [256, 128], classes: 10)
    case "cnn": try Model.tanhConvolutional()
    default: fail("unknown model \(name)")
    }
}

func measure(_ name: String, batch: Int, mode: String, _ options: Options, _ records: Records)
    throws
{
    forgetPeak()
    let before = memory("VmRSS")
    let (model, isPrivate) = (try model(name), mode == "private")
    let epochSteps = Int((Double(records.count) / Double(batch)).rounded())
    let share = ["softmax": 60_000, "mlp": 30_000, "cnn": 12_000][name] ?? 6_000
    let steps = max(2, min(epochSteps, share / batch))
    let total = 2 + options.repetitions * steps
    let plan = TrainingPlan(
        model: model, steps: total, expectedBatch: batch, learningRate: LearningRate(0.1),
        clipping: isPrivate ? Clipping(norm: 1) : nil, microBatch: options.microBatch,
        threads: options.threads)
    let rate = Double(batch) / Double(records.count)
    guard
        let budget = PrivacyBudget(epsilon: 1e6, delta: 1e-5),
        var sampler = PoissonSampler(
            samplingRate: rate, noiseMultiplier: 1, recordCount: records.count)
    else { fail("no sampler") }
    var ledger = PrivacyLedger.open(dataset: "benchmark", budget: budget) { _ in .zero }.ledger
    let reservation = try ledger.reserve(
        ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: total))
    var generator = CryptographicGenerator()
    var trainer = try Trainer(
        plan, from: model.initialParameters(seed: 1), on: records, using: &generator)
    func step() throws {
        if isPrivate {
            try trainer.step(paidBy: reservation, sampler: &sampler)
        } else {
            try trainer.stepWithoutPrivacy(sampler: &sampler)
        }
    }
    for _ in 0..<2 { try step() }
    var (processor, wall): ([Double], [Double]) = ([], [])
    for _ in 0..<options.repetitions {
        let (cpu, clock) = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC))
        for _ in 0..<steps { try step() }
        let scale = Double(epochSteps) / Double(steps)
        processor.append((seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * scale)
        wall.append((seconds(CLOCK_MONOTONIC) - clock) * scale)
    }
    print(
        "{\"peer\":\"aegis-\(mode)\",\"model\":\"\(name)\",\"batch\":\(batch),"
            + "\"threads\":\(options.threads),\"params\":\(model.parameterCount),"
            + "\"epoch_cpu_s_min\":\(text(processor.min())),"
            + "\"epoch_cpu_s_max\":\(text(processor.max())),"
            + "\"epoch_wall_s_min\":\(text(wall.min())),"
            + "\"epoch_wall_s_max\":\(text(wall.max())),"
            + "\"peak_rss_mb\":\(memory("VmHWM")),\"rss_before_mb\":\(before),"
            + "\"kernels\":\"\(LinearAlgebra.kernels)\"}")
    fflush(nil)
}

/// The matrix products of an epoch by themselves: what BLAS leaves to gain.
func measureProducts(_ name: String, batch: Int, _ options: Options) throws {
    let products = ProductsAlone(try model(name), batch: batch)
    products.run(records: batch)
    var times: [Double] = []
    for _ in 0..<options.repetitions {
        let start = seconds(CLOCK_PROCESS_CPUTIME_ID)
        for _ in 0..<max(1, 30_000 / batch) { products.run(records: batch) }
        let records = max(1, 30_000 / batch) * batch
        times.append((seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 60_000 / Double(records))
    }
    print(
        "{\"peer\":\"sgemm alone\",\"model\":\"\(name)\",\"batch\":\(batch),"
            + "\"epoch_cpu_s_min\":\(text(times.min()))}")
    fflush(nil)
}

LinearAlgebra.prepare()
let options = Options(Array(CommandLine.arguments.dropFirst()))
do {
    let records = try records(options.data)
    for name in options.models {
        for batch in options.batches {
            for mode in options.modes {
                try measure(name, batch: batch, mode: mode, options, records)
            }
            if name == "mlp" { try measureProducts(name, batch: batch, options) }
        }
    }
} catch {
    fail("\(error)")
}
