import AegisLearning
import Testing

@Suite("NumPy arrays")
struct NPYParserTests {
    private func file(_ header: String, version: UInt8 = 1, _ values: [UInt8]) -> [UInt8] {
        let text = Array((header + "\n").utf8)
        let length = [UInt8(text.count & 0xff), UInt8(text.count >> 8)]
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length
            + (version > 1 ? [0, 0] : []) + text + values
    }

    private func read(_ bytes: [UInt8], piece: Int = 3) throws -> (shape: [Int], values: [Double]) {
        var rest = bytes[...]
        func pull(_ most: Int) -> [UInt8] {
            let part = Array(rest.prefix(min(most, piece)))
            rest = rest.dropFirst(part.count)
            return part
        }
        let array = try NPYParser(pull: pull)
        var values: [Double] = []
        try array.values(pull: pull) { values.append($0) }
        return (array.shape, values)
    }

    private static let shape = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }"

    @Test("each type of number, and each version")
    func types() throws {
        #expect(
            try read(file(Self.shape, [1, 0, 0xff, 0xff, 0, 1, 2, 0])).values == [1, -1, 256, 2])
        #expect(
            try read(file(Self.shape, version: 3, Array(repeating: 0, count: 8))).shape == [2, 2])
        for (type, bytes, value): (String, [UInt8], Double) in [
            ("|u1", [200], 200), ("|i1", [200], -56), ("|b1", [1], 1), ("<u2", [1, 2], 513),
            ("<f2", [0, 0x3e], 1.5), ("<f2", [1, 0x80], -0x1p-24),
            ("<i4", [0, 0, 0, 0x80], -0x1p31),
            ("<u4", [0, 0, 0, 0x80], 0x1p31), ("<f4", [0, 0, 0xc0, 0x3f], 1.5),
            ("<i8", [0xfe] + Array(repeating: 0xff, count: 7), -2),
            ("<u8", [7, 0, 0, 0, 0, 0, 0, 0], 7), ("<f8", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5),
        ] {
            let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (1,), }"
            #expect(try read(file(header, bytes)).values == [value], "\(type)")
        }
    }

    private func error(_ bytes: [UInt8]) -> NPYError? {
        do { _ = try read(bytes) } catch { return error as? NPYError }
        return nil
    }

    @Test("what is wrong is named")
    func malformed() {
        func header(_ text: String) -> NPYError? { error(file(text, [])) }
        #expect(error([]) == .notNPY)
        #expect(error(Array("PK\u{3}\u{4} a zip file".utf8)) == .notNPY)
        #expect(error(file(Self.shape, version: 4, [])) == .unsupportedVersion(4))
        #expect(
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")
                == .unsupportedType("|O"))
        #expect(
            header("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }")
                == .unsupportedType(">f4"))
        #expect(
            header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")
                == .unsupportedType("record"))
        #expect(
            header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }") == .columnMajor)
        #expect(
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }")
                == .tooLarge)
        for text in [
            "", "{", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 3}", "{'shape': (-1,)}",
            "{'no': 1}",
        ] {
            #expect(header(text) == .malformedHeader, "\(text)")
        }
        #expect(error(file(Self.shape, [1, 0, 2])) == .truncated(expected: 8, actual: 3))
        #expect(error(file(Self.shape, Array(repeating: 0, count: 9))) == .trailingBytes)
    }

    @Test("every cut of a file is an error")
    func cuts() {
        let whole = file(Self.shape, Array(repeating: 1, count: 8))
        for length in 0..<whole.count { #expect(error(Array(whole.prefix(length))) != nil) }
    }
}
