import AegisAPI
import AegisData
import AegisLearning
package import ArgumentParser

package struct BaselineCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "baseline",
        abstract: "Is it worth it? Each node alone, the federation's model, and that model tuned.",
        discussion: """
            Deals the training records out to N nodes and the test records alike, and for each \
            node trains a model alone, measures --together on the same test, and tunes it to the \
            node's records for --tune-epochs. Every training has the privacy that the options ask \
            for. Where the data set sets no test records aside, a fifth of each node's records is \
            its test: --together should not have been trained on them.

            Example:
              aegis baseline --nodes 5 --partition dirichlet:0.5 --dataset fashion-mnist \\
                --together results/model.safetensors --model softmax --epochs 10 \\
                --batch-size 512 --learning-rate 0.5 --clip 1 --epsilon 3
            """)

    @OptionGroup package var data: DatasetOptions
    @OptionGroup package var training: TrainingOptions
    @Option(help: "The nodes that the records are dealt out to.")
    package var nodes: Int
    @Option(help: "The model that was trained together: a safetensors file.")
    package var together: String
    @Option(help: "Epochs of tuning; 0 for none.")
    package var tuneEpochs: Double = 1
    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    struct Line: Encodable {
        let node: Int
        let records: Int
        let testRecords: Int
        let alone: MeasureView
        let together: MeasureView
        let tuned: MeasureView?
    }

    /// A fifth of each node's records is its test, where the data set has none.
    private static let split = TableSplit.share(test: 0.2, seed: 1)

    package func run() throws {
        guard (1...1000).contains(nodes), tuneEpochs >= 0 else {
            throw Failure(.usage, "--nodes is 1 to 1000, --tune-epochs not negative")
        }
        let settings = try training.settings()
        let content = try data.read()
        let slices = try data.slices(of: content.train, count: nodes)
        let tests = try content.test.map { test throws(Failure) in
            try data.slices(of: test, count: nodes)
        }
        Console.endCleanlyOnInterrupt()
        var lines: [Line] = []
        for (node, rows) in slices.enumerated() {
            let line = try line(node, rows, test: tests?[node], content, settings)
            lines.append(line)
            if output == .json {
                Console.write(
                    String(decoding: try AegisAPI.encode(line), as: UTF8.self) + "\n")
            } else if Console.outputIsTerminal {
                Console.write("\r\u{1b}[Knode \(node + 1) of \(nodes) done")
            }
        }
        guard output == .text else { return }
        if Console.outputIsTerminal { Console.write("\r\u{1b}[K") }
        Console.write(Self.table(lines))
    }

    private func line(
        _ node: Int, _ rows: [Int], test: [Int]?, _ content: DatasetContent,
        _ settings: CentralTraining.Settings
    ) throws(Failure) -> Line {
        let (kept, apart) = Self.split.rows(count: rows.count)
        let trainRows = test == nil ? kept.map { rows[$0] } : rows
        let testRows = test ?? apart.map { rows[$0] }
        guard !trainRows.isEmpty, !testRows.isEmpty else {
            throw Failure(.invalidInput, "node \(node) has too few records for a test")
        }
        let own = try Failure.translating {
            DatasetContent(
                description: content.description,
                train: try content.train.keeping(trainRows),
                test: try (test == nil ? content.train : content.test ?? content.train)
                    .keeping(testRows))
        }
        let alone = try measure(own, settings, from: nil)
        let federated = try measure(own, nil, from: together)
        var tuning = settings
        tuning.epochs = tuneEpochs
        var tuned: MeasureView?
        if tuneEpochs > 0 { tuned = try measure(own, tuning, from: together) }
        return Line(
            node: node, records: trainRows.count, testRecords: testRows.count,
            alone: alone, together: federated, tuned: tuned)
    }

    /// Trains where there are settings, and measures on the node's own test.
    private func measure(
        _ own: DatasetContent, _ settings: CentralTraining.Settings?, from: String?
    ) throws(Failure) -> MeasureView {
        let given = try training.settings()
        let prepared = try PreparedTraining(
            own, model: training.model, from: from, settings: settings ?? given,
            features: { _ in })
        var parameters = prepared.base
        if settings != nil { parameters = try prepared.run { _ in } }
        guard let measure = prepared.measure(parameters) else {
            throw Failure(.internalError, "a node's test has no records")
        }
        return MeasureView(measure)
    }

    private static func table(_ lines: [Line]) -> String {
        func cell(_ view: MeasureView?) -> String {
            guard let view else { return "-" }
            return view.accuracy == nil
                ? Output.number(view.rmse, places: 4) : Output.percent(view.accuracy, places: 2)
        }
        var rows = lines.map { line in
            [
                "\(line.node)", "\(line.records)", "\(line.testRecords)", cell(line.alone),
                cell(line.together), cell(line.tuned),
            ]
        }
        func mean(_ view: (Line) -> MeasureView?) -> String {
            let total = lines.reduce(0) { $0 + $1.testRecords }
            let values = lines.compactMap { line in
                (view(line)?.accuracy ?? view(line)?.rmse).map { $0 * Double(line.testRecords) }
            }
            guard values.count == lines.count, total > 0 else { return "-" }
            let value = values.reduce(0, +) / Double(total)
            let isAccuracy = lines.first.flatMap(view)?.accuracy != nil
            return isAccuracy
                ? Output.percent(value, places: 2) : Output.number(value, places: 4)
        }
        rows.append([
            "all", "\(lines.reduce(0) { $0 + $1.records })",
            "\(lines.reduce(0) { $0 + $1.testRecords })", mean { $0.alone }, mean { $0.together },
            mean { $0.tuned },
        ])
        return Table(
            [
                .init("NODE"), .init("RECORDS", .right), .init("TEST", .right),
                .init("ALONE", .right), .init("TOGETHER", .right), .init("TUNED", .right),
            ], rows: rows
        ).text()
    }
}
