import AegisLearning
import Testing

@Suite("IDX files")
struct IDXParserTests {
    /// Hands out `bytes` in pieces of at most `piece`.
    private func pull(_ bytes: [UInt8], piece: Int) -> (Int) -> [UInt8] {
        var rest = bytes[...]
        return { most in
            let part = Array(rest.prefix(min(most, piece)))
            rest = rest.dropFirst(part.count)
            return part
        }
    }

    private let images: [UInt8] =
        [0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3] + Array(0..<24)
    private let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 4, 9, 8, 7, 6]

    @Test("rows asked for are kept, whatever the pieces", arguments: [1, 2, 5, 100])
    func pieces(piece: Int) throws {
        let all = try IDXParser.images(pull: pull(images, piece: piece))
        #expect(all.rows == 2 && all.columns == 3 && all.count == 4)
        #expect(all.pixels == Array(0..<24))
        let some = try IDXParser.images(keeping: [1, 3], pull: pull(images, piece: piece))
        #expect(some.pixels == Array(6..<12) + Array(18..<24))
        #expect(try IDXParser.labels(pull: pull(labels, piece: piece)) == [9, 8, 7, 6])
        #expect(
            try IDXParser.labels(keeping: [0, 2], pull: pull(labels, piece: piece)) == [9, 7])
        #expect(try IDXParser.labels(keeping: [], pull: pull(labels, piece: piece)) == [])
    }

    @Test("every cut is found, with its offset")
    func truncated() {
        for length in 0..<images.count {
            #expect(throws: IDXError.truncated(at: length)) {
                try IDXParser.images(pull: pull(Array(images.prefix(length)), piece: 7))
            }
        }
    }

    private func error(
        _ change: (inout [UInt8]) -> Void, keeping rows: [Int]? = nil
    ) -> IDXError? {
        var bytes = images
        change(&bytes)
        do {
            _ = try IDXParser.images(keeping: rows, pull: pull(bytes, piece: 64))
            return nil
        } catch {
            return error as? IDXError
        }
    }

    @Test("what is wrong is named")
    func malformed() {
        #expect(error { $0[0] = 1 } == .notIDX(at: 0))
        #expect(error { $0[2] = 0x0d } == .unsupportedType(0x0d, at: 2))
        #expect(
            error { $0[3] = 1 } == .wrongDimensions(expected: 3, actual: 1, at: 3))
        #expect(error { $0[4] = 0xff } == .tooLarge(at: 4))
        #expect(error { $0[9] = 0xff } == .tooLarge(at: 8))
        #expect(error { $0[11] = 0 } == .tooLarge(at: 8))
        #expect(error { $0.append(0) } == .trailingBytes(at: 40))
        #expect(error({ _ in }, keeping: [4]) == .rowOutOfRange(row: 4, rows: 4))
        #expect(error({ _ in }, keeping: [-1]) == .rowOutOfRange(row: -1, rows: 4))
        #expect(error({ _ in }, keeping: [2, 2]) == .rowsNotAscending(index: 1))
    }

    @Test("a label beyond the classes, and counts that differ, are no records")
    func records() throws {
        let images = try IDXParser.images(pull: pull(images, piece: 64))
        #expect(throws: RecordsError.labelOutOfRange(index: 1, label: 10)) {
            try Records(images: images, labels: [0, 10, 0, 0], classes: 10)
        }
        #expect(throws: RecordsError.countsDiffer(features: 24, labels: 3)) {
            try Records(images: images, labels: [0, 1, 0], classes: 10)
        }
        #expect(try Records(images: images, labels: [0, 1, 2, 3], classes: 4).inputs == 6)
    }
}
