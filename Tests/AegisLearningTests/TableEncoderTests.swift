import AegisLearning
import Testing

@Suite("Tables become features by the declaration alone")
struct TableEncoderTests {
    private static let schema = TableSchema(
        columns: [
            TableColumn(name: "age", kind: .number(min: 0, max: 100), missing: .marked),
            TableColumn(name: "sex", kind: .category(values: ["F", "M"], other: false)),
            TableColumn(name: "ward", kind: .ignored),
            TableColumn(
                name: "code", kind: .category(values: ["a", "b", "c", "d", "e"], other: true),
                missing: .marked),
            TableColumn(name: "dose", kind: .number(min: -1, max: 1), missing: .filled(0.5)),
        ], target: TableTarget(column: "back", kind: .classes(["no", "yes"])))
    private static let names = ["back", "sex", "age", "ward", "code", "dose", "more"]

    private func encoder(_ split: TableSplit = .none) throws -> TableEncoder {
        try TableEncoder(Self.schema, split: split, names: Self.names, missing: ["", "?"])
    }

    private func encode(
        _ encoder: inout TableEncoder, _ line: String
    ) -> (features: [Float], target: Float, isTest: Bool)? {
        var parser = CSVParser()
        var result: (features: [Float], target: Float, isTest: Bool)?
        func take(_ row: borrowing CSVParser.Row) {
            var features = [Float](repeating: .nan, count: encoder.width)
            let record = row.withCells { cell in
                features.withUnsafeMutableBufferPointer {
                    encoder.encode(fields: row.count, line: row.line, into: $0, cell: cell)
                }
            }
            if let record { result = (features, record.target, record.isTest) }
        }
        try? parser.parse(Array((line + "\n").utf8), onRow: take)
        return result
    }

    @Test("numbers by their bounds, categories one by one, missing values as declared")
    func values() throws {
        var encoder = try encoder()
        #expect(encoder.width == 2 + 2 + 7 + 1)
        let first = try #require(encode(&encoder, "yes,M,75,x,c,0,"))
        #expect(first.features == [0.5, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0])
        #expect(first.target == 1)
        let second = try #require(encode(&encoder, "no,F,?,,zz,,1"))
        #expect(second.features == [0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0.5])
        // Beyond the bounds counts as at the bound; a missing category is marked.
        let third = try #require(encode(&encoder, "no,F,1e9,,,-7,1"))
        #expect(third.features == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, -1])
        try encoder.finish()
    }

    @Test("every fault has its row, line and column, and they are counted beyond the first ones")
    func faults() throws {
        var encoder = try encoder()
        for line in [
            "yes,M,abc,x,c,0,", "maybe,M,1,x,c,0,", ",M,1,x,c,0,", "no,X,1,x,c,0,", "no,,1,x,c,0,",
            "no,M,nan,x,c,0,", "no,M,1",
        ] { #expect(encode(&encoder, line) == nil) }
        #expect(
            encoder.faults.map(\.reason) == [
                .notANumber("abc"), .unknownLabel("maybe"), .missing, .unknownValue("X"), .missing,
                .notFinite("nan"), .wrongFieldCount(expected: 7, actual: 3),
            ])
        #expect(encoder.faults.map(\.column) == ["age", "back", "back", "sex", "sex", "age", nil])
        #expect(encoder.faults.map(\.row) == [1, 2, 3, 4, 5, 6, 7])
        for _ in 0..<30 { #expect(encode(&encoder, "no,M,1") == nil) }
        #expect(encoder.faults.count == TableEncoder.faultsKept && encoder.faultCount == 37)
        #expect(throws: DatasetError.self) { try encoder.finish() }
    }

    @Test("columns that are not there, or twice, and no rows")
    func columns() {
        #expect(throws: DatasetError.columnMissing("code", present: ["age", "sex", "ward"])) {
            try TableEncoder(Self.schema, split: .none, names: ["age", "sex", "ward"])
        }
        #expect(throws: DatasetError.duplicateColumn("sex")) {
            try TableEncoder(Self.schema, split: .none, names: Self.names + ["sex"])
        }
        #expect(throws: DatasetError.columnMissing("set", present: Self.names)) {
            try TableEncoder(
                Self.schema, split: .column("set", test: "t"), names: Self.names)
        }
        #expect(throws: DatasetError.empty) { try encoder().finish() }
    }

    @Test("the split follows the record's number or a column, and takes its share")
    func split() throws {
        var byColumn = try encoder(.column("more", test: "t"))
        #expect(encode(&byColumn, "no,M,1,x,c,0,t")?.isTest == true)
        #expect(encode(&byColumn, "no,M,1,x,c,0,s")?.isTest == false)
        let split = TableSplit.share(test: 0.25, seed: 3)
        let (train, test) = split.rows(count: 10_000)
        #expect(train.count + test.count == 10_000 && abs(test.count - 2_500) < 200)
        var byRow = try encoder(split)
        let drawn = (0..<200).filter { _ in encode(&byRow, "no,M,1,x,c,0,t")?.isTest == true }
        #expect(drawn == test.filter { $0 < 200 })
        #expect(TableSplit.share(test: 0.25, seed: 4).rows(count: 10_000).test != test)
    }

    @Test("a number as target keeps to its bounds")
    func regression() throws {
        let schema = TableSchema(
            columns: [TableColumn(name: "x", kind: .number(min: 0, max: 1))],
            target: TableTarget(column: "y", kind: .number(min: 10, max: 30)))
        var encoder = try TableEncoder(schema, split: .none, names: ["x", "y"])
        #expect(encode(&encoder, "0.5,15")?.target == -0.5)
        #expect(encode(&encoder, "0.5,31") == nil)
        #expect(encoder.faults.map(\.reason) == [.outOfBounds(31, min: 10, max: 30)])
    }
}
