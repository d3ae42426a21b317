import AegisCore
package import AegisPrivacy
package import AegisStore
package import ArgumentParser
import Foundation

package struct LedgerCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Shows, exports and verifies a node's privacy ledgers.",
        subcommands: [LedgerShow.self, LedgerExportCommand.self, LedgerVerify.self])

    package init() {}
}

/// Where a ledger is, and what is known of it from elsewhere.
package struct LedgerSource: ParsableArguments {
    @Argument(help: "A node's folder, or the file of its ledgers. The node may be running.")
    package var path: String

    @Option(help: "The data set; may be left out where there is only one.")
    package var dataset: String?

    package init() {}

    @Option(help: "The node's folder, whose database knows each ledger's last line.")
    package var node: String?

    private var isFolder: Bool {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        return exists && isFolder.boolValue
    }

    func file() throws -> LedgerFile {
        let file = isFolder ? path + "/ledger.sqlite" : path
        return try LedgerFailure.reporting { try LedgerFile(reading: file) }
    }

    /// What the node's database knows: read before the ledger, which may be written meanwhile, so
    /// that an anchor is never ahead of the lines.
    func anchors() throws -> NodeLedgerAnchors {
        guard let folder = node ?? (isFolder ? path : nil) else { return NodeLedgerAnchors() }
        if let node, !FileManager.default.fileExists(atPath: node + "/node.sqlite") {
            throw Failure(.notFound, "there is no node.sqlite in \(node)")
        }
        return try LedgerFailure.reporting {
            try NodeLedgerAnchors(reading: folder + "/node.sqlite")
        }
    }

    func datasets(in file: LedgerFile, _ anchors: NodeLedgerAnchors) throws -> [String] {
        // A ledger that the node knows and the file lacks is reported by whoever reads it.
        let all = try LedgerFailure.reporting {
            Set(try file.datasets() + anchors.datasets).sorted()
        }
        guard let dataset else { return all }
        guard all.contains(dataset) else {
            throw Failure(
                .notFound, "\(file.path) has no ledger of \(dataset)",
                hint: "it has: " + (all.isEmpty ? "none" : all.joined(separator: ", ")))
        }
        return [dataset]
    }

    /// The one data set that is meant.
    func dataset(in file: LedgerFile, _ anchors: NodeLedgerAnchors) throws -> String {
        let datasets = try datasets(in: file, anchors)
        guard datasets.count == 1 else {
            throw Failure(
                .usage, "\(file.path) has \(datasets.count) ledgers",
                hint: "choose one with --dataset: " + datasets.joined(separator: ", "))
        }
        return datasets[0]
    }
}

/// What is wrong with a ledger, for whoever asked.
enum LedgerFailure {
    static func reporting<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as LedgerBookError {
            throw Failure(.failure, "\(error)")
        } catch let error as LedgerError {
            throw Failure(.failure, "the privacy ledger was tampered with: \(error)")
        } catch let error as LedgerExportError {
            throw Failure(.failure, "\(error)")
        } catch let error as NodeDatabaseError {
            throw Failure(.invalidInput, "the node's database can't be read: \(error)")
        } catch let error as StatementError {
            throw Failure(.failure, "the node's database was tampered with: \(error)")
        } catch LedgerFileError.missing(let path) {
            throw Failure(
                .notFound, "there is no privacy ledger in \(path)",
                hint: "give a node's folder, or the file that node.yaml names as ledger")
        } catch let error as LedgerFileError {
            throw Failure(.invalidInput, "the privacy ledger can't be read: \(error)")
        }
    }
}

package struct LedgerShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Reads and checks each line, and says what was spent, and on what.",
        discussion: "Example:\n  aegis privacy ledger show mesh/north --last 20")

    @OptionGroup package var source: LedgerSource

    @Option(help: "How many of the last lines to show.")
    package var last: Int = 10

    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package func run() async throws {
        let anchors = try source.anchors()
        let file = try source.file()
        for dataset in try source.datasets(in: file, anchors) {
            let export = try LedgerFailure.reporting {
                try LedgerExport(dataset, in: file, anchor: anchors[dataset])
            }
            switch output {
            case .json: Console.write(String(decoding: try export.json, as: UTF8.self))
            case .text: Console.write(Self.text(export, last: last, width: Console.columns))
            }
        }
    }

    package static func text(_ export: LedgerExport, last: Int, width: Int) -> String {
        let policy = export.policy
        var text = "\(export.dataset): ε \(number(export.epsilonSpent)) of "
        text += "\(number(policy.epsilon)) spent at δ \(policy.delta)\n"
        if let run = policy.runEpsilon { text += "  at most ε \(number(run)) a run\n" }
        if let period = policy.periodEpsilon, let days = policy.periodDays {
            text += "  at most ε \(number(period)) in \(number(days)) days\n"
        }
        if policy.noiseMultiplierMin > 0 {
            text += "  at least noise multiplier \(number(policy.noiseMultiplierMin))\n"
        }
        text += "  \(Output.plural(export.reserved, "charge")), "
        text += "\(Output.plural(export.released, "release")), "
        text += "\(Output.plural(export.lines.count, "line")), all of them sound\n"
        text += "  head \(export.lines.count - 1):\(export.head)\n\n"
        let table = Table(
            [
                .init("LINE", .right), .init("TIME (UTC)"), .init("ACTION"), .init("RUN", cutTo: 8),
                .init("ROUND", .right), .init("WHAT", cutTo: 20),
            ],
            rows: export.lines.suffix(max(0, last)).map { line in
                [
                    "\(line.sequence)", line.time, line.action,
                    line.run.map { String($0.prefix(8)) } ?? "-",
                    line.round.map { "\($0)" } ?? "-", what(line),
                ]
            })
        return text + table.text(width: width) + "\n"
    }

    private static func what(_ line: LedgerExport.Line) -> String {
        if let rate = line.samplingRate, let noise = line.noiseMultiplier,
            let steps = line.steps
        {
            let attempt = line.attempt.map { $0 > 1 ? ", attempt \($0)" : "" } ?? ""
            return "q \(number(rate)), σ \(number(noise)), \(Output.plural(steps, "step")), "
                + "\(line.noise ?? "-") noise\(attempt)"
        }
        if let policy = line.policy {
            return "ε \(number(policy.epsilon)) at δ \(policy.delta)"
        }
        return (line.update ?? line.records).map { String($0.prefix(15)) } ?? "-"
    }

    private static func number(_ value: Double) -> String {
        "\((value * 10_000).rounded() / 10_000)"
    }
}

package struct LedgerExportCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a ledger as JSON that anyone can verify.",
        discussion: "Example:\n  aegis privacy ledger export mesh/north --to ledger.json")

    @OptionGroup package var source: LedgerSource

    @Option(help: "The file to write; standard output where it is not given.")
    package var to: String?

    package init() {}

    package func run() async throws {
        let anchors = try source.anchors()
        let file = try source.file()
        let dataset = try source.dataset(in: file, anchors)
        let export = try LedgerFailure.reporting {
            try LedgerExport(dataset, in: file, anchor: anchors[dataset])
        }
        let json = try export.json
        guard let to else { return Console.write(String(decoding: json, as: UTF8.self)) }
        do { try json.write(to: URL(fileURLWithPath: to), options: .atomic) } catch {
            throw Failure(.cannotWrite, "\(to) can't be written: \(error.localizedDescription)")
        }
        Console.write("\(dataset): \(Output.plural(export.lines.count, "line")) in \(to)\n")
    }
}

package struct LedgerVerify: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks an exported ledger, or a node's own, line by line.",
        discussion: """
            An edited line is named, and so is a ledger that was cut off before a line that is
            known from elsewhere. A node's own ledger is compared with the last line that the
            node keeps in its database: of a node's folder by itself, of a file with --node.
            --anchor takes the head as `aegis privacy ledger show` printed it at an earlier time.

            Example:
              aegis privacy ledger verify ledger.json --anchor 12:sha256:9f86d08…
            """)

    @OptionGroup package var source: LedgerSource

    @Option(help: "A line that has to be there: NUMBER:sha256:DIGEST.")
    package var anchor: String?

    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package static func anchor(_ text: String) -> LedgerAnchor? {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let sequence = UInt64(parts[0]),
            let digest = Digest(text: parts[1])
        else { return nil }
        return LedgerAnchor(sequence: sequence, digest: digest)
    }

    package func run() async throws {
        let known = anchor.flatMap(Self.anchor)
        if let anchor, known == nil {
            throw Failure(
                .usage, "--anchor \(anchor) is no line of a ledger",
                hint: "write NUMBER:sha256:DIGEST, as `aegis privacy ledger show` prints the head")
        }
        for export in try exports(known) {
            switch output {
            case .json: Console.write(String(decoding: try export.json, as: UTF8.self))
            case .text:
                Console.write(
                    "\(export.dataset): \(Output.plural(export.lines.count, "line")) verified, "
                        + "ε \(export.epsilonSpent) spent, head "
                        + "\(export.lines.count - 1):\(export.head)\n")
            }
        }
    }

    private func exports(_ anchor: LedgerAnchor?) throws -> [LedgerExport] {
        if let bytes = FileManager.default.contents(atPath: source.path),
            !bytes.starts(with: Data("SQLite format 3".utf8))
        {
            return [try LedgerFailure.reporting { try LedgerExport.verify(bytes, anchor: anchor) }]
        }
        let anchors = try source.anchors()
        let file = try source.file()
        let datasets =
            try anchor == nil
            ? source.datasets(in: file, anchors) : [source.dataset(in: file, anchors)]
        return try datasets.map { dataset in
            try LedgerFailure.reporting {
                let export = try LedgerExport(dataset, in: file, anchor: anchors[dataset])
                guard let anchor else { return export }
                return try LedgerExport(dataset, in: file, anchor: anchor)
            }
        }
    }
}
