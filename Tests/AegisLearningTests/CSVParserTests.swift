import AegisLearning
import Testing

@Suite("CSV (RFC 4180)")
struct CSVParserTests {
    /// Parses `text` in pieces of `piece` bytes.
    private func rows(_ text: String, piece: Int = 1_000, delimiter: String = ",") throws
        -> [[String]]
    {
        var parser = CSVParser(delimiter: Array(delimiter.utf8)[0])
        var rows: [[String]] = []
        let bytes = Array(text.utf8)
        func take(_ row: borrowing CSVParser.Row) {
            rows.append((0..<row.count).map(row.text))
        }
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try parser.parse(Array(bytes[start..<min(start + piece, bytes.count)]), onRow: take)
        }
        try parser.finish(onRow: take)
        return rows
    }

    private static let text =
        "\u{feff}name,note\r\nAda,\"said \"\"no\"\", twice\"\n\"Ben\",\"two\nlines\"\r\n\n,\n\"\",x"

    @Test("quotes, line ends and empty fields, whatever the pieces", arguments: [1, 2, 3, 7, 100])
    func pieces(piece: Int) throws {
        #expect(
            try rows(Self.text, piece: piece) == [
                ["name", "note"], ["Ada", "said \"no\", twice"], ["Ben", "two\nlines"], ["", ""],
                ["", "x"],
            ])
    }

    @Test("the last line needs no end, other delimiters do too, no text has no rows")
    func forms() throws {
        #expect(try rows("a;b\n1;2", delimiter: ";") == [["a", "b"], ["1", "2"]])
        #expect(try rows("a\tb\n", delimiter: "\t") == [["a", "b"]])
        #expect(try rows("") == [])
        #expect(try rows("\n\r\n") == [])
        #expect(try rows("\"\"\n") == [[""]])
        #expect(try rows("\u{feff}") == [])
    }

    @Test("what is wrong is named with its line")
    func malformed() {
        func error(_ text: String) -> CSVError? {
            do { _ = try rows(text) } catch { return error as? CSVError }
            return nil
        }
        #expect(error("a\n\"b\nc") == .unterminatedQuote(line: 2))
        #expect(error("a\nx,b\"c\n") == .strayQuote(line: 2, field: 1))
        #expect(error("\"a\" b\n") == .strayQuote(line: 1, field: 0))
        let long = String(repeating: "x", count: CSVParser.rowBytesMax + 1)
        #expect(error("a\n" + long) == .rowTooLong(line: 2, bytesMax: CSVParser.rowBytesMax))
        let wide = String(repeating: ",", count: CSVParser.fieldsMax + 1)
        #expect(error(wide) == .tooManyFields(line: 1, fieldsMax: CSVParser.fieldsMax))
    }

    @Test("a row knows the line it begins on")
    func lines() throws {
        var parser = CSVParser()
        var lines: [Int] = []
        try parser.parse(Array("a\n\"b\nb\",1\n\nc".utf8)) { lines.append($0.line) }
        try parser.finish { lines.append($0.line) }
        #expect(lines == [1, 2, 5])
    }
}
