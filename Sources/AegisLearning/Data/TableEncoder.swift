/// One thing that is wrong with a data set's content, and where.
package struct DataFault: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case notANumber(String)
        case notFinite(String)
        case missing
        case unknownValue(String)
        case unknownLabel(String)
        case outOfBounds(Double, min: Double, max: Double)
        case wrongFieldCount(expected: Int, actual: Int)
    }
    /// Records are counted from 1, without the heading.
    package let row: Int
    /// Of the file, where it is text.
    package let line: Int?
    package let column: String?
    package let reason: Reason

    package init(row: Int, line: Int?, column: String?, reason: Reason) {
        self.row = row
        self.line = line
        self.column = column
        self.reason = reason
    }
}

/// Why there are no records.
package enum DatasetError: Error, Hashable, Sendable {
    /// The first of the faults, and how many there are in all.
    case faults([DataFault], total: Int)
    case columnMissing(String, present: [String])
    case duplicateColumn(String)
    case empty
    case noTestRecords
    /// More than this machine should hold.
    case tooLarge(values: Int, valuesMax: Int)
    case shape(expected: [Int], actual: [Int])
    case labelCount(features: Int, labels: Int)
}

/// A field as its source has it.
package enum TableCell {
    case missing
    case number(Double)
    /// Valid while the record is.
    case text(UnsafeBufferPointer<UInt8>)
}

/// Turns the records of a table into features and targets, record by record, by the schema alone.
package struct TableEncoder: Sendable {
    package static let faultsKept = 20

    private enum Step: Sendable {
        case number(min: Float, max: Float, missing: TableColumn.Missing)
        case category(CategoryIndex, other: Bool, missing: TableColumn.Missing)
        case text(vocabulary: Int)
    }

    private struct Part: Sendable {
        let field: Int
        let name: String
        let step: Step
        let width: Int
    }

    package let width: Int
    private let parts: [Part]
    private let target: (field: Int, kind: TableTarget.Kind, index: CategoryIndex)
    private let targetName: String
    private let split: (field: Int, test: [UInt8])?
    private let share: (test: UInt64, seed: UInt64)?
    private let missingTexts: [[UInt8]]
    private let fieldCount: Int
    /// The words of the last record that was encoded, where the records are text.
    private(set) package var tokens: [Int32] = []
    private(set) package var row = 0
    private(set) package var faults: [DataFault] = []
    private(set) package var faultCount = 0
    /// For each of the schema's used columns: its name, the records where its value is missing,
    /// and those where it lies beyond the declared bounds. Statistics of private data: for their
    /// owner's eyes.
    private(set) package var tallies: [(column: String, missing: Int, clamped: Int)] = []

    /// `names` are the source's columns; those that the schema does not mention are not read.
    package init(
        _ schema: TableSchema, split: TableSplit, names: [String], missing: [String] = []
    ) throws(DatasetError) {
        var places: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            guard places.updateValue(index, forKey: name) == nil else {
                throw .duplicateColumn(name)
            }
        }
        func place(_ name: String) throws(DatasetError) -> Int {
            guard let place = places[name] else { throw .columnMissing(name, present: names) }
            return place
        }
        var parts: [Part] = []
        for column in schema.columns {
            let field = try place(column.name)
            guard let step = Self.step(column) else { continue }
            parts.append(Part(field: field, name: column.name, step: step, width: column.width))
        }
        self.parts = parts
        tallies = parts.map { ($0.name, 0, 0) }
        width = schema.width
        fieldCount = names.count
        missingTexts = missing.map { Array($0.utf8) }
        let classes: [String] =
            if case .classes(let values) = schema.target.kind { values } else { [] }
        target = (try place(schema.target.column), schema.target.kind, CategoryIndex(classes))
        targetName = schema.target.column
        switch split {
        case .none: (self.split, share) = (nil, nil)
        case .share(let test, let seed):
            (self.split, share) = (nil, (UInt64(test * 0x1p53), seed))
        case .column(let column, let test):
            (self.split, share) = (
                (try place(column), Array(test.utf8)), nil
            )
        }
    }

    private static func step(_ column: TableColumn) -> Step? {
        switch column.kind {
        case .number(let low, let high):
            .number(min: Float(low), max: Float(high), missing: column.missing)
        case .category(let values, let other):
            .category(CategoryIndex(values), other: other, missing: column.missing)
        case .text(let vocabulary): .text(vocabulary: vocabulary)
        case .ignored: nil
        }
    }

    /// Encodes one record into `features`, `width` floats. Nil where it has a fault, which is kept
    /// among the first `faultsKept`.
    package mutating func encode(
        fields: Int, line: Int?, into features: UnsafeMutableBufferPointer<Float>,
        cell: (Int) -> TableCell
    ) -> (target: Float, isTest: Bool)? {
        row += 1
        guard fields == fieldCount else {
            fault(line, nil, .wrongFieldCount(expected: fieldCount, actual: fields))
            return nil
        }
        var offset = 0
        let before = faultCount
        features.update(repeating: 0)
        tokens.removeAll(keepingCapacity: true)
        for (index, part) in parts.enumerated() {
            let value = normalised(cell(part.field))
            count(value, part.step, index)
            let slot = UnsafeMutableBufferPointer(
                rebasing: features[offset..<offset + part.width])
            if case .text(let vocabulary) = part.step {
                // A text without words is one; a missing one has none either.
                if case .text(let bytes) = value {
                    Tokenizer.append(bytes, vocabulary: vocabulary, to: &tokens)
                }
            } else if let reason = Self.encode(value, part.step, into: slot) {
                fault(line, part.name, reason)
            }
            offset += part.width
        }
        let label = label(normalised(cell(target.field)), line)
        guard before == faultCount, let label else { return nil }
        return (label, isTest(cell))
    }

    private mutating func fault(_ line: Int?, _ column: String?, _ reason: DataFault.Reason) {
        faultCount += 1
        guard faults.count < Self.faultsKept else { return }
        faults.append(DataFault(row: row, line: line, column: column, reason: reason))
    }

    private mutating func count(_ cell: TableCell, _ step: Step, _ index: Int) {
        if case .missing = cell {
            tallies[index].missing += 1
        } else if case .number(let low, let high, _) = step,
            case .success(let number?) = Self.number(cell),
            !(low...high).contains(Float(number))
        {
            tallies[index].clamped += 1
        }
    }

    /// Throws what was found wrong.
    package func finish() throws(DatasetError) {
        guard faultCount == 0 else { throw .faults(faults, total: faultCount) }
        guard row > 0 else { throw .empty }
    }

    private func normalised(_ cell: TableCell) -> TableCell {
        guard case .text(let bytes) = cell else { return cell }
        for text in missingTexts where text.count == bytes.count && bytes.elementsEqual(text) {
            return .missing
        }
        return cell
    }

    private static func encode(
        _ cell: TableCell, _ step: Step, into features: UnsafeMutableBufferPointer<Float>
    ) -> DataFault.Reason? {
        switch step {
        case .number(let low, let high, let missing):
            switch number(cell) {
            case .success(let number?):
                features[0] = scaled(Float(number), low, high)
            case .success(nil):
                switch missing {
                case .refused: return .missing
                case .filled(let value): features[0] = scaled(Float(value), low, high)
                case .marked: features[1] = 1
                }
            case .failure(let problem): return problem.reason
            }
        case .category(let index, let other, let missing):
            guard case .some(let found) = index.find(cell) else {
                guard missing == .marked else { return .missing }
                features[features.count - 1] = 1
                return nil
            }
            if let found {
                features[found] = 1
            } else if other {
                features[index.count] = 1
            } else {
                return .unknownValue(text(cell))
            }
        case .text: break
        }
        return nil
    }

    private static func scaled(_ value: Float, _ low: Float, _ high: Float) -> Float {
        2 * (min(max(value, low), high) - low) / (high - low) - 1
    }

    private struct Problem: Error { let reason: DataFault.Reason }

    private static func number(_ cell: TableCell) -> Result<Double?, Problem> {
        switch cell {
        case .missing: return .success(nil)
        case .number(let number):
            return number.isFinite
                ? .success(number) : .failure(Problem(reason: .notFinite("\(number)")))
        case .text(let bytes):
            guard let number = DecimalText.parse(bytes) else {
                return .failure(Problem(reason: .notANumber(text(cell))))
            }
            return number.isFinite
                ? .success(number) : .failure(Problem(reason: .notFinite(text(cell))))
        }
    }

    private mutating func label(_ cell: TableCell, _ line: Int?) -> Float? {
        switch target.kind {
        case .classes:
            switch target.index.find(cell) {
            case .none: fault(line, targetName, .missing)
            case .some(.none): fault(line, targetName, .unknownLabel(Self.text(cell)))
            case .some(.some(let label)): return Float(label)
            }
        case .number(let low, let high):
            switch Self.number(cell) {
            case .success(nil): fault(line, targetName, .missing)
            case .success(let number?):
                guard (low...high).contains(number) else {
                    fault(line, targetName, .outOfBounds(number, min: low, max: high))
                    return nil
                }
                return Float(2 * (number - low) / (high - low) - 1)
            case .failure(let problem): fault(line, targetName, problem.reason)
            }
        }
        return nil
    }

    private func isTest(_ cell: (Int) -> TableCell) -> Bool {
        if let split {
            switch cell(split.field) {
            case .missing: return false
            case .text(let bytes): return bytes.elementsEqual(split.test)
            case .number: return Array(Self.text(cell(split.field)).utf8) == split.test
            }
        }
        return share.map { TableSplit.isTest(row: row - 1, below: $0.test, seed: $0.seed) } ?? false
    }

    /// What people are shown of a value: at most 40 bytes.
    private static func text(_ cell: TableCell) -> String {
        switch cell {
        case .missing: ""
        case .number(let number):
            Int64(exactly: number).map(String.init) ?? String(number)
        case .text(let bytes): String(decoding: bytes.prefix(40), as: UTF8.self)
        }
    }
}

extension TableSplit {
    /// Whether record `row` (from 0) is for the test: 53 bits of SplitMix64's output for the
    /// seed and the row, below the share.
    static func isTest(row: Int, below test: UInt64, seed: UInt64) -> Bool {
        var generator = SplitMix64(seed: seed &+ UInt64(row) &* 0xd134_2543_de82_ef95)
        return generator.next() >> 11 < test
    }
}

/// Words of a text as numbers, without a list of words: a vocabulary taken from private texts would
/// say what is in them (feature hashing, Weinberger et al. 2009).
enum Tokenizer {
    /// A word is letters and digits in a row, without regard to ASCII case; every byte of a letter
    /// beyond ASCII counts as one. Its number is its FNV-1a hash modulo the vocabulary's size.
    static func append(
        _ bytes: UnsafeBufferPointer<UInt8>, vocabulary: Int, to tokens: inout [Int32]
    ) {
        var hash: UInt64 = 0
        var inWord = false
        for byte in bytes {
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            let isWord =
                (0x61...0x7a).contains(lower) || (0x30...0x39).contains(lower) || lower >= 0x80
            if isWord {
                if !inWord { hash = 0xcbf2_9ce4_8422_2325 }
                hash = (hash ^ UInt64(lower)) &* 0x100_0000_01b3
            } else if inWord {
                tokens.append(Int32(hash % UInt64(vocabulary)))
            }
            inWord = isWord
        }
        if inWord { tokens.append(Int32(hash % UInt64(vocabulary))) }
    }
}

/// Finds a word among the declared ones.
struct CategoryIndex: Sendable {
    private var places: [UInt64: [Int]] = [:]
    private let values: [[UInt8]]

    var count: Int { values.count }

    init(_ values: [String]) {
        self.values = values.map { Array($0.utf8) }
        for (index, value) in self.values.enumerated() {
            places[Self.hash(value), default: []].append(index)
        }
    }

    /// Nil where the value is missing, nil inside where it is none of the words.
    func find(_ cell: TableCell) -> Int?? {
        switch cell {
        case .missing: return .none
        case .text(let bytes): return .some(find(bytes))
        case .number(let number):
            let text = Int64(exactly: number).map(String.init) ?? String(number)
            return .some(find(Array(text.utf8)))
        }
    }

    private func find(_ bytes: some Collection<UInt8>) -> Int? {
        if values.count <= 4 {
            return values.firstIndex { $0.count == bytes.count && $0.elementsEqual(bytes) }
        }
        return places[Self.hash(bytes)]?.first { values[$0].elementsEqual(bytes) }
    }

    /// FNV-1a. The words are the owner's own; nobody else chooses what collides.
    private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
