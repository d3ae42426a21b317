package import AegisLearning
import AegisStore
import Glibc

/// Training and test records of a data set.
package struct DatasetContent: Sendable {
    package let description: DatasetDescription
    package let train: Records
    /// Nil where the declaration sets none aside.
    package let test: Records?

    package init(description: DatasetDescription, train: Records, test: Records?) {
        self.description = description
        self.train = train
        self.test = test
    }
}

/// Reads the records of a declared data set. Paths in a declaration are relative to its file.
package struct DatasetReader: Sendable {
    package let description: DatasetDescription
    private let directory: String
    /// Features held in memory at once, at most: 16 GiB of single precision.
    package static let valuesMax = 1 << 32

    package init(_ description: DatasetDescription, directory: String) {
        self.description = description
        self.directory = directory
    }

    /// A declaration's file, or `fashion-mnist` where its package is installed.
    package init(named name: String) throws {
        if name == "fashion-mnist" {
            self.init(.fashionMNIST(folder: Self.fashionMNISTFolder), directory: "/")
            return
        }
        let text = String(decoding: try DatasetFile.contents(name), as: UTF8.self)
        let description = try DatasetDescription(try YAMLTree.parse(text, path: name))
        self.init(description, directory: DatasetFile.directory(of: name))
    }

    /// Where the Debian package `dataset-fashion-mnist` puts it.
    package static let fashionMNISTFolder = "/usr/share/datasets/fashion-mnist"

    func path(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(directory)/\(path)"
    }

    /// Reads everything. `progress` is told the records read so far, now and then.
    package func read(progress: (Int) -> Void = { _ in }) throws -> DatasetContent {
        switch description.content {
        case .table(let schema):
            var collector = TableCollector(schema)
            try readTable(schema, progress: progress) { record in try collector.take(record) }
            return try collector.content(of: description)
        case .array(let schema):
            return try ArrayReader(reader: self, schema: schema).read()
        }
    }

    /// Whether the files are there that are read whole folders at a time.
    package func check() throws {
        guard case .array(let schema) = description.content else { return }
        try ArrayReader(reader: self, schema: schema).checkFiles()
    }

    /// The training records alone. `choose` says which of them by their labels, zeros where numbers
    /// are predicted; of images only those are kept in memory.
    package func readTraining(
        keeping choose: (([UInt8]) throws -> [Int])? = nil
    ) throws -> Records {
        if case .array(let schema) = description.content, case .idx = description.source {
            return try ArrayReader(reader: self, schema: schema).images("train", keeping: choose)
        }
        let records = try read().train
        guard let choose else { return records }
        return try records.keeping(
            choose(
                records.labels.isEmpty
                    ? [UInt8](repeating: 0, count: records.count) : records.labels))
    }

    /// The test records alone; nil where the declaration sets none aside.
    package func readTest() throws -> Records? {
        if case .array(let schema) = description.content, case .idx = description.source {
            return try ArrayReader(reader: self, schema: schema).images("t10k")
        }
        return try read().test
    }

    /// Hands out the table's records one by one: constant memory, whatever their number. What comes
    /// back says what was read, and how often values were missing or beyond their bounds.
    @discardableResult
    package func readTable(
        _ schema: TableSchema, progress: (Int) -> Void = { _ in },
        body: (TableRecord) throws -> Void
    ) throws -> TableEncoder {
        switch description.source {
        case .csv(let file, let delimiter, let missing):
            return try readCSV(
                path(file), delimiter, missing, schema, progress: progress, body: body)
        case .sqlite(let file, let query):
            return try readSQLite(path(file), query, schema, progress: progress, body: body)
        case .idx, .npy, .npz: preconditionFailure("an array is no table")
        }
    }

    private static let progressEvery = 1 << 16

    private func readCSV(
        _ path: String, _ delimiter: UInt8, _ missing: [String], _ schema: TableSchema,
        progress: (Int) -> Void, body: (TableRecord) throws -> Void
    ) throws -> TableEncoder {
        var source = try FileSource.open(path)
        var parser = CSVParser(delimiter: delimiter)
        var encoder: TableEncoder?
        let features = UnsafeMutableBufferPointer<Float>.allocate(capacity: schema.width)
        defer { features.deallocate() }
        func take(_ row: borrowing CSVParser.Row) throws {
            guard encoder != nil else {
                encoder = try TableEncoder(
                    schema, split: description.split, names: row.texts, missing: missing)
                return
            }
            let record = row.withCells { cell in
                encoder?.encode(fields: row.count, line: row.line, into: features, cell: cell)
            }
            if let record = record ?? nil {
                try body(
                    TableRecord(
                        features: UnsafeBufferPointer(features), tokens: encoder?.tokens ?? [],
                        target: record.target, isTest: record.isTest))
            }
            if let row = encoder?.row, row.isMultiple(of: Self.progressEvery) { progress(row) }
        }
        while true {
            let piece = try source.read(atMost: 1 << 18)
            if piece.isEmpty { break }
            try parser.parse(piece, onRow: take)
        }
        try parser.finish(onRow: take)
        guard let encoder else { throw DatasetError.empty }
        try encoder.finish()
        return encoder
    }

    private func readSQLite(
        _ path: String, _ query: String, _ schema: TableSchema, progress: (Int) -> Void,
        body: (TableRecord) throws -> Void
    ) throws -> TableEncoder {
        guard access(path, R_OK) == 0 else { throw DataFileError.notFound(path) }
        var encoder: TableEncoder?
        let features = UnsafeMutableBufferPointer<Float>.allocate(capacity: schema.width)
        defer { features.deallocate() }
        try SQLiteTable(path: path, query: query).read(
            onColumns: { names in
                encoder = try TableEncoder(schema, split: description.split, names: names)
            },
            onRow: { row in
                let record = row.withCells { cell in
                    encoder?.encode(
                        fields: row.values.count, line: nil, into: features, cell: cell)
                }
                if let record = record ?? nil {
                    try body(
                        TableRecord(
                            features: UnsafeBufferPointer(features),
                            tokens: encoder?.tokens ?? [], target: record.target,
                            isTest: record.isTest))
                }
                if let row = encoder?.row, row.isMultiple(of: Self.progressEvery) {
                    progress(row)
                }
            })
        guard let encoder else { throw DatasetError.empty }
        try encoder.finish()
        return encoder
    }
}

/// A record as its declaration encodes it.
package struct TableRecord {
    /// Valid while the record is handed out.
    package let features: UnsafeBufferPointer<Float>
    /// The words of a text.
    package let tokens: [Int32]
    package let target: Float
    package let isTest: Bool
}

/// Gathers a table's records in memory.
private struct TableCollector {
    private struct Part {
        var features: [Float] = []
        var tokens: [Int32] = []
        var starts = [0]
        var targets: [Float] = []
    }

    private let schema: TableSchema
    private var train = Part()
    private var test = Part()
    private var held = 0

    init(_ schema: TableSchema) { self.schema = schema }

    mutating func take(_ record: TableRecord) throws(DatasetError) {
        held += record.features.count + record.tokens.count
        guard held <= DatasetReader.valuesMax else {
            throw .tooLarge(values: held, valuesMax: DatasetReader.valuesMax)
        }
        if record.isTest { Self.add(record, to: &test) } else { Self.add(record, to: &train) }
    }

    private static func add(_ record: TableRecord, to part: inout Part) {
        part.features.append(contentsOf: record.features)
        if !record.tokens.isEmpty { part.tokens += record.tokens }
        part.starts.append(part.tokens.count)
        part.targets.append(record.target)
    }

    consuming func content(of description: DatasetDescription) throws -> DatasetContent {
        guard !train.targets.isEmpty else { throw DatasetError.empty }
        if description.split != .none, test.targets.isEmpty { throw DatasetError.noTestRecords }
        return DatasetContent(
            description: description, train: try Self.records(train, schema),
            test: test.targets.isEmpty ? nil : try Self.records(test, schema))
    }

    private static func records(_ part: Part, _ schema: TableSchema) throws -> Records {
        try Records(
            features: schema.vocabulary == nil
                ? .floats(part.features) : .tokens(values: part.tokens, starts: part.starts),
            targets: .of(part.targets, schema.target.kind), inputs: schema.width)
    }
}

extension Records.Targets {
    /// Class numbers, or numbers.
    static func of(_ values: [Float], _ kind: TableTarget.Kind) -> Self {
        switch kind {
        case .classes(let names): .classes(values.map { UInt8($0) }, count: names.count)
        case .number: .values(values, width: 1)
        }
    }
}

extension CSVParser.Row {
    var texts: [String] { (0..<count).map(text) }
}

extension SQLiteTable.Row {
    /// Gives `body` the fields as cells; valid while it runs.
    func withCells<Value>(_ body: ((Int) -> TableCell) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBufferPointer { bytes in
            try body { index in
                switch values[index] {
                case .null: .missing
                case .number(let number): .number(number)
                case .text(let range): .text(UnsafeBufferPointer(rebasing: bytes[range]))
                }
            }
        }
    }
}
