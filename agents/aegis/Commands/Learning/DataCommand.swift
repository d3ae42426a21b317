import AegisAPI
import AegisData
import AegisLearning
package import ArgumentParser

package struct DataCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Looks at data sets.", subcommands: [Inspect.self])

    package init() {}

    package struct Inspect: ParsableCommand {
        package static let configuration = CommandConfiguration(
            abstract: "Reads a data set, checks it against its declaration and says what is in it.",
            discussion: """
                What it prints is about private records and stays with their owner. Tables are \
                read in constant memory.

                Example:
                  aegis data inspect visits.yaml
                """)

        @Argument(help: "fashion-mnist, or a declaration: FILE.yaml (docs/DATA.md).")
        package var dataset: String
        @Option(help: "text or json.")
        package var output: ReportFormat = .text

        package init() {}

        package func run() throws {
            Console.endCleanlyOnInterrupt()
            let live = output == .text && Console.outputIsTerminal
            let report = try Failure.translating {
                try DataReport(try DatasetReader(named: dataset)) { rows in
                    if live { Console.write("\r\u{1b}[Kread \(rows) records") }
                }
            }
            if live { Console.write("\r\u{1b}[K") }
            switch output {
            case .text: Console.write(report.text)
            case .json:
                Console.write(
                    String(decoding: try AegisAPI.encode(report, pretty: true), as: UTF8.self)
                        + "\n")
            }
        }
    }
}

/// What is in a data set.
struct DataReport: Encodable {
    struct Column: Encodable {
        let name: String
        let type: String
        let features: Int
        let missing: Int
        let beyondBounds: Int
    }

    struct Class: Encodable {
        let name: String
        let train: Int
        let test: Int
    }

    let name: String
    let about: String?
    let licence: String?
    let records: Int
    let testRecords: Int
    let features: Int
    let shape: [Int]
    private(set) var columns: [Column] = []
    private(set) var classes: [Class] = []

    init(_ reader: DatasetReader, progress: (Int) -> Void) throws {
        let description = reader.description
        (name, about, licence) = (description.name, description.about, description.licence)
        switch description.content {
        case .table(let schema): shape = [schema.vocabulary ?? schema.width]
        case .array(let schema): shape = schema.shape
        }
        features = shape.reduce(1, *)
        let names: [String] =
            if case .classes(let names) = description.target { names } else { [] }
        var counts = [(train: Int, test: Int)](repeating: (0, 0), count: max(1, names.count))
        func count(_ target: Float, isTest: Bool) {
            let label = names.isEmpty ? 0 : Int(target)
            if isTest { counts[label].test += 1 } else { counts[label].train += 1 }
        }
        switch description.content {
        case .table(let schema):
            let read = try reader.readTable(schema, progress: progress) { record in
                count(record.target, isTest: record.isTest)
            }
            columns = Self.columns(schema, read)
        case .array:
            let content = try reader.read(progress: progress)
            for (records, isTest) in [(content.train, false), (content.test, true)] {
                guard let records else { continue }
                if records.labels.isEmpty {
                    for _ in 0..<records.count { count(0, isTest: isTest) }
                }
                for label in records.labels { count(Float(label), isTest: isTest) }
            }
        }
        records = counts.reduce(0) { $0 + $1.train }
        testRecords = counts.reduce(0) { $0 + $1.test }
        classes = zip(names, counts).map { Class(name: $0, train: $1.train, test: $1.test) }
    }

    private static func columns(_ schema: TableSchema, _ read: TableEncoder) -> [Column] {
        schema.columns.map { column in
            let type =
                switch column.kind {
                case .number(let low, let high): "number \(low) to \(high)"
                case .category(let values, _): "category of \(values.count)"
                case .text(let vocabulary): "text, \(vocabulary) words"
                case .ignored: "ignored"
                }
            let tally = read.tallies.first { $0.column == column.name }
            return Column(
                name: column.name, type: type, features: column.width,
                missing: tally?.missing ?? 0, beyondBounds: tally?.clamped ?? 0)
        }
    }

    var text: String {
        var text = "data     \(name)\n"
        if let about { text += "about    \(about)\n" }
        if let licence { text += "licence  \(licence)\n" }
        text += "records  \(records) for training, \(testRecords) for the test\n"
        text += "features \(features), shape \(shape.map(String.init).joined(separator: " x "))\n"
        if !columns.isEmpty {
            text += "\n"
            text += Table(
                [
                    .init("COLUMN", cutTo: 12), .init("TYPE", cutTo: 10), .init("FEATURES", .right),
                    .init("MISSING", .right), .init("BEYOND BOUNDS", .right),
                ],
                rows: columns.map {
                    [$0.name, $0.type, "\($0.features)", "\($0.missing)", "\($0.beyondBounds)"]
                }
            ).text()
        }
        if !classes.isEmpty {
            text += "\n"
            text += Table(
                [.init("CLASS", cutTo: 12), .init("TRAINING", .right), .init("TEST", .right)],
                rows: classes.map { [$0.name, "\($0.train)", "\($0.test)"] }
            ).text()
        }
        return text
    }
}
