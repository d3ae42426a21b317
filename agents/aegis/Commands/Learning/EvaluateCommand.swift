import AegisAPI
import AegisData
import AegisLearning
package import ArgumentParser

package struct EvaluateCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures a model on a data set's test records, for all of them or node by node.",
        discussion: """
            With --nodes the test records are dealt out as the training records are, and there is \
            a line for each node and one for the federation. With --against, a second model is \
            measured on the same records, such as one that was trained alone.

            Example:
              aegis evaluate --model results/model.safetensors --architecture softmax \\
                --dataset fashion-mnist
              aegis evaluate --model together.safetensors --against alone.safetensors \\
                --dataset visits.yaml --nodes 5
            """)

    @OptionGroup package var data: DatasetOptions
    @Option(help: "A safetensors file.")
    package var model: String
    @Option(help: "A second model to compare with.")
    package var against: String?
    @Option(help: "What the model is, where its file does not say: a name or FILE.yaml.")
    package var architecture: String?
    @Option(help: "test or train: which records.")
    package var records: String = "test"
    @Option(help: "Measure for each of N nodes.")
    package var nodes: Int?
    @Option(help: "Threads.")
    package var threads: Int = 1
    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package func run() throws {
        guard ["test", "train"].contains(records), (1...256).contains(threads) else {
            throw Failure(.usage, "--records is test or train, --threads 1 to 256")
        }
        let content = try data.read()
        guard let chosen = records == "train" ? content.train : content.test else {
            throw Failure(
                .invalidInput, "the data set sets no test records aside",
                hint: "give --records train, or a split in the declaration")
        }
        var parts: [(name: String, records: Records)] = []
        if let nodes {
            guard (1...10_000).contains(nodes) else { throw Failure(.usage, "--nodes is above 0") }
            for (index, rows) in try data.slices(of: chosen, count: nodes).enumerated() {
                let part = try Failure.translating { try chosen.keeping(rows) }
                parts.append(("node \(index)", part))
            }
        }
        parts.append((nodes == nil ? records : "all", chosen))
        var measures = try measure(model, parts, content.description)
        if let against {
            let others = try measure(against, parts, content.description)
            measures = zip(measures, others).flatMap { ours, theirs in
                [ours, (theirs.name + ", against", theirs.measure)]
            }
        }
        switch output {
        case .text: Console.write(MeasureTable.text(measures))
        case .json:
            for item in measures {
                let bytes = try AegisAPI.encode(MeasureView(item.measure, name: item.name))
                Console.write(String(decoding: bytes, as: UTF8.self) + "\n")
            }
        }
    }

    private func measure(
        _ path: String, _ parts: [(name: String, records: Records)],
        _ dataset: DatasetDescription
    ) throws(Failure) -> [(name: String, measure: ModelMeasure)] {
        let description = try architecture.map { name throws(Failure) in
            try ModelChoice.description(name, dataset: dataset)
        }
        let input = dataset.input
        let stored = try ModelChoice.stored(path, architecture: description, input: input)
        var measures: [(name: String, measure: ModelMeasure)] = []
        for part in parts {
            let records = try Failure.translating {
                guard part.records.inputs == stored.input.count ?? 0 else {
                    throw CentralTrainingError.modelDoesNotFit(
                        inputs: stored.input.count ?? 0, outputs: stored.model.outputs,
                        width: part.records.inputs, classes: part.records.classes)
                }
                let mapped = try part.records.mapped(by: stored.description.features)
                guard stored.model.fits(mapped, loss: stored.description.loss) else {
                    throw CentralTrainingError.modelDoesNotFit(
                        inputs: stored.model.inputs ?? 0, outputs: stored.model.outputs,
                        width: mapped.inputs, classes: mapped.classes)
                }
                return mapped
            }
            measures.append(
                (
                    part.name,
                    ModelMeasure(
                        stored.model, stored.parameters, on: records,
                        loss: stored.description.loss, target: dataset.target, threads: threads)
                ))
        }
        return measures
    }
}
