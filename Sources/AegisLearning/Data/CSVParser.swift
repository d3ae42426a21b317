/// What is wrong with the form of a CSV file; the row is `CSVParser.row`.
package enum CSVError: Error, Hashable, Sendable {
    /// The file ends inside a quoted field that began on this line.
    case unterminatedQuote(line: Int)
    /// A quote inside a field that did not begin with one, or text after the closing quote.
    case strayQuote(line: Int, field: Int)
    case rowTooLong(line: Int, bytesMax: Int)
    case tooManyFields(line: Int, fieldsMax: Int)
}

/// Reads CSV (RFC 4180) from pieces of bytes, record by record, in the memory of one record.
/// Quoted fields may hold delimiters, line ends and doubled quotes; lines end with LF or CRLF;
/// a byte order mark and empty lines are skipped.
package struct CSVParser: Sendable {
    /// One record: its fields' bytes, unquoted, one after the other.
    package struct Row: Sendable {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        /// Counted from 1; a field with line ends in it makes a record of several lines.
        package fileprivate(set) var line = 0

        package var count: Int { ends.count }

        /// Gives `body` the fields as cells; valid while it runs.
        package func withCells<Value>(
            _ body: ((Int) -> TableCell) throws -> Value
        ) rethrows -> Value {
            try bytes.withUnsafeBufferPointer { bytes in
                try body { index in
                    let start = index == 0 ? 0 : ends[index - 1]
                    return .text(UnsafeBufferPointer(rebasing: bytes[start..<ends[index]]))
                }
            }
        }

        package func text(_ index: Int) -> String {
            String(decoding: bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]], as: UTF8.self)
        }
    }

    package static let rowBytesMax = 1 << 20
    package static let fieldsMax = 1 << 16

    private enum State { case fieldStart, plain, quoted, quoteInQuoted }

    private let delimiter: UInt8
    private var row = Row()
    private var state = State.fieldStart
    private var line = 1
    /// How much of a byte order mark has been seen; nil once that is decided.
    private var markBytes: Int? = 0
    private static let mark: [UInt8] = [0xef, 0xbb, 0xbf]

    package init(delimiter: UInt8 = UInt8(ascii: ",")) {
        self.delimiter = delimiter
        row.line = 1
    }

    /// Parses the next piece of the file; `onRow` is given each record that ends in it.
    package mutating func parse(
        _ piece: [UInt8], onRow: (borrowing Row) throws -> Void
    ) throws {
        try piece.withUnsafeBufferPointer { try parse($0, onRow: onRow) }
    }

    package mutating func parse(
        _ piece: UnsafeBufferPointer<UInt8>, onRow: (borrowing Row) throws -> Void
    ) throws {
        var index = 0
        while let seen = markBytes, index < piece.count {
            guard piece[index] == Self.mark[seen] else {
                row.bytes += Self.mark.prefix(seen)
                if seen > 0 { state = .plain }
                markBytes = nil
                break
            }
            index += 1
            markBytes = seen == 2 ? nil : seen + 1
        }
        while index < piece.count { try take(piece, &index, onRow) }
    }

    /// The end of the file: the last record where no line end followed it.
    package mutating func finish(onRow: (borrowing Row) throws -> Void) throws {
        if let seen = markBytes, seen > 0 { row.bytes += Self.mark.prefix(seen) }
        if state == .quoted { throw CSVError.unterminatedQuote(line: row.line) }
        if !row.ends.isEmpty || !row.bytes.isEmpty || state != .fieldStart { try endRow(onRow) }
    }

    /// Takes one byte, or all up to the next that means something.
    @inline(__always)
    private mutating func take(
        _ piece: UnsafeBufferPointer<UInt8>, _ index: inout Int,
        _ onRow: (borrowing Row) throws -> Void
    ) throws {
        let byte = piece[index]
        switch state {
        case .fieldStart where byte == UInt8(ascii: "\""):
            state = .quoted
            index += 1
        case .fieldStart, .plain:
            state = .plain
            try takePlain(piece, &index, onRow)
        case .quoted:
            let start = index
            while index < piece.count, piece[index] != UInt8(ascii: "\"") {
                if piece[index] == 0x0a { line += 1 }
                index += 1
            }
            try append(piece[start..<index])
            if index < piece.count {
                state = .quoteInQuoted
                index += 1
            }
        case .quoteInQuoted:
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                try append(piece[index - 1..<index])
                state = .quoted
            case delimiter: try endField()
            case 0x0a: try endRow(onRow)
            case 0x0d: break  // of CRLF
            default: throw CSVError.strayQuote(line: line, field: row.count)
            }
        }
    }

    @inline(__always)
    private mutating func takePlain(
        _ piece: UnsafeBufferPointer<UInt8>, _ index: inout Int,
        _ onRow: (borrowing Row) throws -> Void
    ) throws {
        let start = index
        while index < piece.count {
            let byte = piece[index]
            if byte == delimiter || byte == 0x0a || byte == UInt8(ascii: "\"") { break }
            index += 1
        }
        try append(piece[start..<index])
        guard index < piece.count else { return }
        let byte = piece[index]
        index += 1
        if byte == delimiter {
            try endField()
        } else if byte == 0x0a {
            let fieldStart = row.ends.last ?? 0
            if row.bytes.count > fieldStart, row.bytes.last == 0x0d { row.bytes.removeLast() }
            try endRow(onRow)
        } else {
            throw CSVError.strayQuote(line: line, field: row.count)
        }
    }

    private mutating func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) throws {
        guard row.bytes.count + bytes.count <= Self.rowBytesMax else {
            throw CSVError.rowTooLong(line: row.line, bytesMax: Self.rowBytesMax)
        }
        row.bytes.append(contentsOf: bytes)
    }

    private mutating func endField() throws {
        guard row.ends.count < Self.fieldsMax else {
            throw CSVError.tooManyFields(line: row.line, fieldsMax: Self.fieldsMax)
        }
        row.ends.append(row.bytes.count)
        state = .fieldStart
    }

    private mutating func endRow(_ onRow: (borrowing Row) throws -> Void) throws {
        // A line without anything on it, not even an empty quoted field, is no record.
        let isEmpty = row.ends.isEmpty && row.bytes.isEmpty && state != .quoteInQuoted
        try endField()
        if !isEmpty { try onRow(row) }
        row.bytes.removeAll(keepingCapacity: true)
        row.ends.removeAll(keepingCapacity: true)
        line += 1
        row.line = line
    }
}
