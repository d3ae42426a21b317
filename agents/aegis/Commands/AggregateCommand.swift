import AegisAPI
import AegisAggregation
import AegisCore
package import ArgumentParser
import Foundation

package struct AggregateCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "aggregate",
        abstract: "Combines updates with a robust rule, as every node of a mesh does.",
        discussion: """
            Reads safetensors files of float32 with the same tensors. Pre-steps stand before the \
            rule: nnm+trimmed-mean. The result's bits are the same on every machine.

            Example:
              aegis aggregate --list
              aegis aggregate --rule trimmed-mean --byzantine 1 a.safetensors b.safetensors \
            c.safetensors --save out.safetensors
              aegis aggregate --batch cases.jsonl
            """)

    @Flag(help: "Lists the rules and pre-steps: what each needs, bears and costs.")
    package var list = false

    @Option(
        help: "A file of cases, one JSON object a line, or - for standard input.",
        completion: .file())
    package var batch: String?

    @Option(help: "A rule of --list, with pre-steps before it: nnm+trimmed-mean.")
    package var rule: String?

    @Option(name: [.long, .customShort("f")], help: "f, the hostile updates to bear.")
    package var byzantine: Int?

    @Option(help: "m of multi-krum; n-f where it is not given.")
    package var kept: Int?

    @Option(help: "Of trimmed-mean-fraction: the part to leave out on each side.")
    package var beta: Double?

    @Option(help: "Of rfa-smoothed-weiszfeld: the least distance that counts.")
    package var nu: Double?

    @Option(help: "Of rfa-smoothed-weiszfeld and centered-clipping.")
    package var steps: Int?

    @Option(help: "Of centered-clipping: how far an update may pull.")
    package var tau: Double?

    @Option(help: "Of the pre-step clip: the longest norm.")
    package var radius: Double?

    @Option(help: "Of bucketing: updates in a bucket.")
    package var bucketSize: Int?

    @Option(help: "Of bucketing: 64 hexadecimal digits; by default the inputs' digest.")
    package var seed: String?

    @Option(help: "Of the weighted rules: one number for each file, with commas between.")
    package var weights: String?

    @Option(
        help: "Of centered-clipping the start, of fltrust the trusted update.",
        completion: .file(extensions: ["safetensors"]))
    package var reference: String?

    @Option(help: "Refuse updates of a larger norm.")
    package var normMax: Double = .infinity

    @Option(help: "Threads; all cores where it is not given.")
    package var threads: Int?

    @Option(help: "Where to write the result.", completion: .file(extensions: ["safetensors"]))
    package var save: String?

    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    @Argument(help: "The updates.", completion: .file(extensions: ["safetensors"]))
    package var files: [String] = []

    package init() {}

    package func run() throws {
        if list { return Console.write(try AggregateReport.list(output)) }
        if let batch { return try answer(batch) }
        guard let rule else {
            throw Failure(
                .usage, "give --rule, --batch or --list",
                hint: "see the rules with `aegis aggregate --list`")
        }
        try aggregate(rule)
    }

    private func answer(_ path: String) throws {
        let data: Data
        do {
            data =
                path == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data()
                : try Data(contentsOf: URL(fileURLWithPath: path))
        } catch { throw Failure(.notFound, "\(path) can't be read") }
        var text = ""
        for line in Array(data).split(separator: UInt8(ascii: "\n"))
        where line.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) {
            text += AggregateBatch.answer(line) + "\n"
            if text.utf8.count > 1 << 16 {
                Console.write(text)
                text = ""
            }
        }
        Console.write(text)
    }

    private func aggregate(_ rule: String) throws {
        guard !files.isEmpty else { throw Failure(.usage, "no updates are given") }
        let weights = try parsedWeights()
        let updates = try files.indices.map {
            try UpdateFile(files[$0], index: $0, weight: weights?[$0] ?? 1)
        }
        for update in updates where update.tensors != updates[0].tensors {
            throw Failure(
                .invalidInput,
                "\(update.file.path) has other tensors than \(updates[0].file.path)")
        }
        let intake = IntakeCheck(parameterCount: updates[0].values.count, normMax: normMax)
        let (admitted, refused) = intake.admit(updates.map(\.update))
        let reference = try reference.map { try UpdateFile($0, index: 0) }
        if let reference {
            let check = IntakeCheck(parameterCount: updates[0].values.count, normMax: .infinity)
            do { try check.check(reference.values) } catch {
                throw Failure(.invalidInput, "\(reference.file.path): \(error)")
            }
        }
        let result = try ResultFile(save, tensors: updates[0].tensors)
        let explanation: Explanation
        do {
            explanation = try aggregator(rule, updates).aggregate(
                admitted, reference: reference?.values, into: result.values)
        } catch let error as AggregationError {
            throw Failure(
                .invalidInput, AggregateReport.text(error),
                details: refused.map { refusal in
                    AggregateReport.text(refusal.reason, of: updates, refusal.node)
                }, hint: "`aegis aggregate --list` says what each rule needs")
        }
        let digest = UpdateFile.digest(UnsafeRawBufferPointer(result.bytes))
        try result.save()
        let report = AggregateReport(
            rule: rule, updates: updates, refused: refused, explanation: explanation,
            parameterCount: result.values.count, digest: digest, saved: save)
        Console.write(output == .text ? report.text : try report.json())
    }

    private func aggregator(_ rule: String, _ updates: [UpdateFile]) throws -> Aggregator {
        var parameters = RuleParameters(byzantine: byzantine)
        parameters.kept = kept
        parameters.fraction = beta
        parameters.smoothing = nu
        parameters.steps = steps
        parameters.radius = tau
        parameters.clipRadius = radius
        parameters.bucketSize = bucketSize
        if rule.contains("bucketing") { parameters.bucketOrder = .seed(try bucketSeed(updates)) }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        do throws(RuleNameError) {
            return try Aggregator(
                named: rule, parameters: parameters,
                execution: Execution(threads: threads ?? cores))
        } catch {
            switch error {
            case .unknown(let name):
                throw Failure(
                    .usage, "there is no rule \(name)",
                    hint: "see the rules with `aegis aggregate --list`")
            case .missingParameter(let name):
                throw Failure(
                    .usage, "\(rule) needs \(AggregateReport.option(for: name))",
                    hint: "`aegis aggregate --list` says what each rule needs")
            }
        }
    }

    private func parsedWeights() throws -> [Double]? {
        guard let weights else { return nil }
        let numbers = weights.split(separator: ",", omittingEmptySubsequences: false)
            .compactMap { Double($0) }
        guard numbers.count == files.count else {
            throw Failure(.usage, "--weights has not one number for each file")
        }
        return numbers
    }

    /// Unless it is given, what everyone who has the same updates would derive.
    private func bucketSeed(_ updates: [UpdateFile]) throws -> Digest {
        let text =
            seed
            ?? Array(updates.map { UpdateFile.digest($0.file.bytes) }.joined().utf8)
            .withUnsafeBytes { UpdateFile.digest($0) }
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        guard let digest = Digest(text: "sha256:" + digits) else {
            throw Failure(.usage, "--seed \(text) is not 64 hexadecimal digits")
        }
        return digest
    }
}
