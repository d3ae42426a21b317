import AegisData
import AegisLearning
import AegisStore
import Foundation
import Testing

/// A folder that goes away, and the fixtures that numpy and sqlite3 wrote.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/aegis-data-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    @discardableResult
    func write(_ name: String, bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    static func fixture(_ name: String, file: String = #filePath) -> String {
        URL(fileURLWithPath: file).deletingLastPathComponent()
            .appending(path: "Fixtures/\(name)").path
    }
}

@Suite("Data sets, from a declaration to records")
struct DatasetReaderTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let columns = """
        columns:
          - {name: age, type: number, min: 0, max: 100, missing: mark}
          - {name: sex, type: category, values: [F, M]}
        target: {column: back, values: ["no", "yes"]}
        """

    private func csv(_ text: String, more: String = "") throws -> DatasetContent {
        try scratch.write("visits.csv", text)
        let path = try scratch.write(
            "visits.yaml",
            "name: visits\nsource: {format: csv, path: visits.csv}\n\(Self.columns)\n\(more)")
        return try DatasetReader(named: path).read()
    }

    private func floats(_ records: Records) -> [Float] {
        if case .floats(let values) = records.features { values } else { [] }
    }

    @Test("a CSV file beside its declaration")
    func table() throws {
        let content = try csv("sex,age,back\nF,75,no\nM,,yes\n")
        #expect(content.train.count == 2 && content.test == nil)
        #expect(floats(content.train) == [0.5, 0, 1, 0, 0, 1, 0, 1])
        #expect(content.train.labels == [0, 1])
    }

    @Test("the faults of a whole file come together, with row, line and column")
    func faults() throws {
        let error = #expect(throws: DatasetError.self) {
            try csv("sex,age,back\nF,75,no\nX,75,no\n\"M\",7 5,perhaps\nM,1\n")
        }
        guard case .faults(let faults, let total) = error else { return }
        #expect(total == 4)
        #expect(
            faults == [
                DataFault(row: 2, line: 3, column: "sex", reason: .unknownValue("X")),
                DataFault(row: 3, line: 4, column: "age", reason: .notANumber("7 5")),
                DataFault(row: 3, line: 4, column: "back", reason: .unknownLabel("perhaps")),
                DataFault(
                    row: 4, line: 5, column: nil,
                    reason: .wrongFieldCount(expected: 3, actual: 2)),
            ])
        let words = try #require(error.flatMap { DataWords($0) })
        #expect(
            words.details.first
                == "row 2 (line 3), column sex: X is not one of the declared values")
    }

    @Test("a split by share sets a part aside, the same part each time")
    func split() throws {
        let rows = (0..<400).map { "F,\($0 % 100),\($0 % 2 == 0 ? "no" : "yes")" }
        let text = "sex,age,back\n" + rows.joined(separator: "\n")
        let content = try csv(text, more: "split: {test: 0.25, seed: 9}")
        let test = try #require(content.test)
        #expect(content.train.count + test.count == 400 && (60...140).contains(test.count))
        let again = try csv(text, more: "split: {test: 0.25, seed: 9}")
        #expect(floats(try #require(again.test)) == floats(test))
    }

    @Test("an SQLite table and a query, opened for reading only")
    func sqlite() throws {
        func read(_ source: String) throws -> DatasetContent {
            let path = try scratch.write(
                "db.yaml",
                "name: visits\nsource: {format: sqlite, path: \(Scratch.fixture("visits.db")), "
                    + "\(source)}\n\(Self.columns)")
            return try DatasetReader(named: path).read()
        }
        let content = try read("table: visit list")
        #expect(content.train.count == 3 && content.train.labels == [0, 1, 0])
        let expected: [Float] = [0.43, 0, 1, 0, 0, 1, 0, 1, -0.2, 0, 1, 0]
        #expect(zip(floats(content.train), expected).allSatisfy { abs($0 - $1) < 1e-6 })
        let some = try read("query: SELECT * FROM \"visit list\" WHERE stay > 2")
        #expect(some.train.count == 2)
        #expect(throws: SQLiteTableError.notReadOnly) {
            try read("query: DELETE FROM \"visit list\"")
        }
        #expect(throws: SQLiteTableError.self) { try read("table: nothing") }
        #expect(throws: SQLiteTableError.self) { try read("query: SELECT 1; SELECT 2") }
    }

    @Test("a text is its words, the same word the same number, and a model takes them")
    func text() throws {
        try scratch.write("notes.csv", "note,back\n\"Fever, cough\",yes\n,no\ncough: FEVER!,no\n")
        let path = try scratch.write(
            "notes.yaml",
            """
            name: notes
            source: {format: csv, path: notes.csv}
            columns: [{name: note, type: text, vocabulary: 1000}]
            target: {column: back, values: ["no", "yes"]}
            """)
        let reader = try DatasetReader(named: path)
        #expect(reader.description.input == .tokens)
        let records = try reader.read().train
        guard case .tokens(let values, let starts) = records.features else {
            Issue.record("texts become tokens")
            return
        }
        #expect(starts == [0, 2, 2, 4])
        #expect(values[0] == values[3] && values[1] == values[2] && values[0] != values[1])
        let model = try ModelDescription(
            name: "text", layers: [.embeddingBag(vocabulary: 1000, width: 4), .dense(outputs: 2)],
            loss: .crossEntropy
        ).model(input: .tokens)
        #expect(model.fits(records, loss: .crossEntropy))
    }

    private func array(_ source: String, shape: String = "[4]") throws -> DatasetContent {
        let path = try scratch.write(
            "array.yaml",
            "name: a\nsource: {\(source)}\nshape: \(shape)\nnormalisation: {min: -2, max: 2}\n"
                + "target: {classes: 3}")
        return try DatasetReader(named: path).read()
    }

    @Test("NumPy's archives, stored and packed, and plain arrays give the same numbers")
    func numpy() throws {
        let expected = (0..<24).map { Float($0 - 12) / 16 }
        for name in ["stored.npz", "packed.npz"] {
            let content = try array(
                "format: npz, path: \(Scratch.fixture(name)), features: x, labels: y")
            #expect(floats(content.train) == expected)
            #expect(content.train.labels == [0, 1, 2, 0, 1, 2])
        }
        let bytes = try array(
            "format: npy, features: \(Scratch.fixture("bytes.npy")), "
                + "labels: \(Scratch.fixture("labels.npy"))", shape: "[2, 2]")
        guard case .bytes(let values, let scaling) = bytes.train.features else {
            Issue.record("bytes stay bytes")
            return
        }
        #expect(values == Array(0..<12) && scaling.scale == 0.5 && scaling.offset == 0)
    }

    @Test("what does not fit is refused")
    func misfits() throws {
        let stored = "format: npz, path: \(Scratch.fixture("stored.npz"))"
        #expect(throws: DatasetError.shape(expected: [5], actual: [4])) {
            try array("\(stored), features: x, labels: y", shape: "[5]")
        }
        #expect(throws: ZipError.entryMissing("z.npy", present: ["x.npy", "y.npy"])) {
            try array("\(stored), features: z, labels: y")
        }
        for name in ["columns.npy", "objects.npy", "big-endian.npy"] {
            #expect(throws: DataFileError.self) {
                try array(
                    "format: npy, features: \(Scratch.fixture(name)), "
                        + "labels: \(Scratch.fixture("labels.npy"))")
            }
        }
        #expect(throws: DatasetError.labelCount(features: 6, labels: 3)) {
            try array(
                "format: npy, features: \(Scratch.fixture("half.npy")), "
                    + "labels: \(Scratch.fixture("labels.npy"))")
        }
    }

    @Test("every cut of an archive, and every flipped byte of its data, is an error")
    func damage() throws {
        let whole = [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: Scratch.fixture("packed.npz"))))
        for length in stride(from: 0, to: whole.count, by: 7) {
            let path = try scratch.write("cut.npz", bytes: Array(whole.prefix(length)))
            #expect(throws: (any Error).self) {
                try array("format: npz, path: \(path), features: x, labels: y")
            }
        }
        var flipped = whole
        flipped[60] ^= 0x40
        let path = try scratch.write("flip.npz", bytes: flipped)
        #expect(throws: (any Error).self) {
            try array("format: npz, path: \(path), features: x, labels: y")
        }
    }

    /// Five and three black images in MNIST's layout.
    private func folder(magic: UInt8 = 8, labels: Int = 5) throws -> String {
        func number(_ value: Int) -> [UInt8] { [0, 0, 0, UInt8(value)] }
        for (part, count) in [("train", 5), ("t10k", 3)] {
            try scratch.write(
                "\(part)-images-idx3-ubyte",
                bytes: [0, 0, magic, 3] + number(count) + number(2) + number(2)
                    + (0..<4 * count).map { UInt8($0) })
            try scratch.write(
                "\(part)-labels-idx1-ubyte",
                bytes: [0, 0, 8, 1] + number(part == "train" ? labels : count)
                    + [UInt8](repeating: 1, count: part == "train" ? labels : count))
        }
        return try scratch.write(
            "idx.yaml",
            "name: i\nsource: {format: idx, folder: .}\nshape: [1, 2, 2]\n"
                + "normalisation: {min: 0, max: 255}\ntarget: {classes: 2}")
    }

    @Test("a folder of images: parts by themselves, and some rows of them")
    func images() throws {
        let reader = try DatasetReader(named: try folder())
        try reader.check()
        let content = try reader.read()
        #expect(content.train.count == 5 && content.test?.count == 3)
        #expect(try reader.readTest()?.count == 3)
        let some = try reader.readTraining { labels in
            #expect(labels == [1, 1, 1, 1, 1])
            return [1, 3]
        }
        guard case .bytes(let bytes, _) = some.features else {
            Issue.record("images are bytes")
            return
        }
        #expect(bytes == [4, 5, 6, 7, 12, 13, 14, 15] && some.labels == [1, 1])
    }

    @Test("a folder's faults name the file and the byte")
    func imageFaults() throws {
        let wrong = try DatasetReader(named: try folder(magic: 9))
        let error = #expect(throws: DataFileError.self) { try wrong.read() }
        let words = error.flatMap { DataWords($0) }?.message
        #expect(words?.contains("train-images-idx3-ubyte: IDX values of type 9 at byte 2") == true)
        #expect(throws: RecordsError.self) {
            try DatasetReader(named: try folder(labels: 4)).read()
        }
        let gone = try DatasetReader(named: try folder())
        try FileManager.default.removeItem(atPath: scratch.path + "/t10k-labels-idx1-ubyte")
        let missing = #expect(throws: DataFileError.self) { try gone.check() }
        #expect(missing.flatMap { DataWords($0) }?.isMissing == true)
    }

    @Test("missing files are named")
    func missing() throws {
        #expect(throws: DataFileError.notFound("nowhere.yaml")) {
            try DatasetReader(named: "nowhere.yaml")
        }
        let path = try scratch.write(
            "gone.yaml", "name: v\nsource: {format: csv, path: gone.csv}\n\(Self.columns)")
        #expect(throws: GzipError.self) { try DatasetReader(named: path).read() }
        let words = DataWords(DataFileError.notFound("x"))
        #expect(words?.isMissing == true && words?.message == "there is no file x")
    }

    @Test("all faults of a declaration at once, by field")
    func declarations() throws {
        let path = try scratch.write(
            "bad.yaml",
            """
            name: v
            source: {format: csv, path: v.csv, delimiter: ab}
            colour: blue
            columns:
              - {name: age, type: number, min: 5, max: 5}
              - {name: sex, type: word}
              - {name: code, type: category, values: [a, a]}
            target: {column: back}
            """)
        let error = #expect(throws: DeclarationError.self) { try DatasetReader(named: path) }
        #expect(
            error?.faults.map(\.field) == [
                "source.delimiter", "columns[0].max", "columns[1].type", "columns[2].values",
                "target.values", "colour",
            ])
        for text in ["", "- a", "name: &x 1\nsource: *x", "a: 1\na: 2", "{"] {
            let path = try scratch.write("worse.yaml", text)
            #expect(throws: (any Error).self) { try DatasetReader(named: path) }
        }
    }
}
