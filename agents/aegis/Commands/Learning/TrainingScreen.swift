import AegisAPI
import AegisData
import AegisLearning
import AegisReport

/// What a training has shown and shows next, as text to write.
struct TrainingScreen {
    private let format: ReportFormat
    private let live: Bool
    private let width: Int
    private var lineShown = false
    private var stepShown = 0
    private var started = ContinuousClock().now
    private var drawn: ContinuousClock.Instant?
    private var lastAccuracy: Double?
    private var batch = 0.0

    init(format: ReportFormat, live: Bool, width: Int) {
        self.format = format
        self.live = live
        self.width = width
    }

    /// A line that the next one replaces.
    mutating func status(_ text: String) -> String {
        guard live else { return "" }
        lineShown = true
        return "\r\u{1b}[K" + text.prefix(width - 1)
    }

    private mutating func clear() -> String {
        defer { lineShown = false }
        return lineShown ? "\r\u{1b}[K" : ""
    }

    mutating func began(_ prepared: PreparedTraining) -> String {
        started = ContinuousClock().now
        guard format == .text else { return "" }
        let training = prepared.training
        var text = clear()
        text +=
            "model    \(prepared.description.name), \(training.model.parameterCount) parameters\n"
        text += "data     \(prepared.dataset.name), \(training.records.count) records"
        text += prepared.test.map { ", \($0.count) for the test\n" } ?? ", none for the test\n"
        text += "steps    \(training.steps), each record in a step with chance "
        text += Decimal.fixed(training.samplingRate, places: 6) + "\n"
        if let noise = training.noiseMultiplier, let epsilon = training.epsilon {
            text += "noise    σ \(Decimal.fixed(noise, places: 4)), epsilon "
            text += Decimal.fixed(epsilon, places: 4) + " at the end\n"
        } else {
            text += "noise    none: the model is not private\n"
        }
        if training.settings.deterministic {
            text += "warning  sampling and noise come from the seed: the model is not private\n"
        }
        return text + "EPOCH  SECONDS    LOSS  ACCURACY   EPSILON  MEMORY\n"
    }

    mutating func show(_ event: PreparedTraining.Event) -> String {
        switch event {
        case .step(let progress): return step(progress)
        case .epoch(let epoch): return line(epoch)
        }
    }

    private mutating func line(_ epoch: PreparedTraining.Epoch) -> String {
        lastAccuracy = epoch.accuracy
        switch format {
        case .json:
            let bytes = (try? AegisAPI.encode(epoch)).map { String(decoding: $0, as: UTF8.self) }
            return (bytes ?? "{}") + "\n"
        case .text:
            let cells = [
                "\(epoch.epoch)", Decimal.fixed(epoch.trainSeconds, places: 2),
                Decimal.fixed(epoch.loss, places: 4), Output.percent(epoch.accuracy, places: 2),
                Output.number(epoch.epsilon, places: 4), "\(Int(epoch.peakRssMb)) MB",
            ]
            let widths = [5, 9, 8, 10, 10, 8]
            let text = zip(cells, widths).map { cell, width in
                String(repeating: " ", count: max(0, width - cell.count)) + cell
            }.joined()
            return clear() + text + "\n"
        }
    }

    private mutating func step(_ progress: CentralTraining.Progress) -> String {
        guard live else { return "" }
        let now = ContinuousClock().now
        if let drawn, now - drawn < .milliseconds(100) { return "" }
        drawn = now
        let share = Double(progress.step) / Double(progress.steps)
        let bar = 24
        let full = Int(share * Double(bar))
        let left = (now - started).seconds * (1 - share) / max(share, 1e-9)
        let accuracy = lastAccuracy.map { "  accuracy \(Output.percent($0, places: 2))" } ?? ""
        return status(
            "[" + String(repeating: "#", count: full)
                + String(repeating: ".", count: bar - full) + "] \(Int(share * 100))%  step "
                + "\(progress.step)/\(progress.steps)\(accuracy)  \(Int(left)) s left")
    }

    mutating func ended(_ measure: ModelMeasure?) -> String {
        guard format == .text else { return "" }
        guard let measure else { return clear() }
        return clear() + MeasureTable.text([("test", measure)])
    }

    func saved(_ path: String) -> String { format == .text ? "saved    \(path)\n" : "" }
}

/// Metrics as a table: a line for each set of records.
enum MeasureTable {
    static func text(_ measures: [(name: String, measure: ModelMeasure)]) -> String {
        let isNumber = measures.contains { if case .number = $0.measure { true } else { false } }
        let columns: [Table.Column] =
            [
                Table.Column("RECORDS OF"), Table.Column("COUNT", .right),
                Table.Column("LOSS", .right),
            ]
            + (isNumber ? ["RMSE", "MAE", "R2"] : ["ACCURACY", "AUC", "F1", "CALIBRATION"])
            .map { Table.Column($0, .right) }
        return Table(columns, rows: measures.map { row($0.name, $0.measure) }).text()
    }

    private static func row(_ name: String, _ measure: ModelMeasure) -> [String] {
        let start = [name, "\(measure.count)", Decimal.fixed(measure.loss, places: 4)]
        switch measure {
        case .classes(let metrics):
            return start + [
                Output.percent(metrics.accuracy, places: 2), Output.number(metrics.auc, places: 4),
                Output.number(metrics.f1, places: 4),
                Output.number(metrics.calibrationError, places: 4),
            ]
        case .number(let metrics, _):
            return start + [
                Output.number(metrics.rmse, places: 4), Output.number(metrics.mae, places: 4),
                Output.number(metrics.r2, places: 4),
            ]
        }
    }
}

/// Metrics as JSON.
struct MeasureView: Encodable {
    var name: String?
    let records: Int
    let loss: Double
    var accuracy, auc, f1, calibrationError: Double?
    var rmse, mae, r2: Double?

    init(_ measure: ModelMeasure, name: String? = nil) {
        self.name = name
        records = measure.count
        loss = measure.loss
        switch measure {
        case .classes(let metrics):
            (accuracy, auc) = (metrics.accuracy, metrics.auc)
            (f1, calibrationError) = (metrics.f1, metrics.calibrationError)
        case .number(let metrics, _): (rmse, mae, r2) = (metrics.rmse, metrics.mae, metrics.r2)
        }
    }
}
