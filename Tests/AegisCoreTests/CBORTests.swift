import AegisCore
import Testing

@Suite("CBOR (RFC 8949, the deterministic subset)")
struct CBORTests {
    /// Appendix A, the rows whose values are in the subset.
    static let examples: [(CBOR, String)] = [
        (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"),
        (1_000, "1903e8"), (1_000_000, "1a000f4240"), (1_000_000_000_000, "1b000000e8d4a51000"),
        (.unsigned(.max), "1bffffffffffffffff"), (.negative(.max), "3bffffffffffffffff"),
        (-1, "20"), (-10, "29"), (-100, "3863"), (-1_000, "3903e7"),
        (false, "f4"), (true, "f5"), (.null, "f6"),
        (.bytes([]), "40"), (.bytes([1, 2, 3, 4]), "4401020304"),
        ("", "60"), ("a", "6161"), ("IETF", "6449455446"), ("\"\\", "62225c"),
        ("\u{fc}", "62c3bc"), ("\u{6c34}", "63e6b0b4"), ("\u{10151}", "64f0908591"),
        ([], "80"), ([1, 2, 3], "83010203"), ([1, [2, 3], [4, 5]], "8301820203820405"),
        (
            .array((1...25).map { .integer($0) }),
            "98190102030405060708090a0b0c0d0e0f101112131415161718181819"
        ),
        (.fields([:]), "a0"), (.fields([1: 2, 3: 4]), "a201020304"),
    ]

    @Test("encodes and decodes the examples of appendix A", arguments: examples)
    func appendixA(value: CBOR, hexadecimal: String) throws {
        #expect(Hexadecimal.encode(value.encoded) == hexadecimal)
        #expect(try decode(hexadecimal) == value)
    }

    @Test(
        "refuses the examples of appendix A that are outside the subset",
        arguments: [
            "f90000", "f93c00", "fb3ff199999999999a", "f97e00", "fa47c35000", "f7", "f0", "f8ff",
            "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "d74401020304",
            "d818456449455446", "c249010000000000000000", "a26161016162820203",
            "826161a161626163", "5f42010243030405ff", "7f657374726561646d696e67ff", "9fff",
            "9f018202039f0405ffff", "bf61610161629f0203ffff",
        ])
    func outsideTheSubset(hexadecimal: String) {
        #expect(throws: CBORError.self) { try decode(hexadecimal) }
    }

    @Test(
        "says what is wrong and where",
        arguments: [
            ("", CBORError.truncated(at: 0)),
            ("18", .truncated(at: 1)), ("1903", .truncated(at: 2)), ("42ff", .truncated(at: 0)),
            ("8201", .truncated(at: 0)), ("a101", .truncated(at: 0)),
            ("0000", .trailingBytes(at: 1)),
            ("1817", .notShortest(at: 0)), ("1900ff", .notShortest(at: 0)),
            ("1a0000ffff", .notShortest(at: 0)), ("1b00000000ffffffff", .notShortest(at: 0)),
            ("3817", .notShortest(at: 0)), ("5801ff", .notShortest(at: 0)),
            ("780161", .notShortest(at: 0)), ("980100", .notShortest(at: 0)),
            ("b8010001", .notShortest(at: 0)), ("a1180101", .notShortest(at: 1)),
            ("5f", .indefiniteLength(at: 0)), ("9f", .indefiniteLength(at: 0)),
            ("1c", .unsupported(initialByte: 0x1c, at: 0)),
            ("c0", .unsupported(initialByte: 0xc0, at: 0)),
            ("a2020301", .truncated(at: 0)), ("a203000100", .keysOutOfOrder(at: 3)),
            ("a201000100", .keysOutOfOrder(at: 3)), ("a220000100", .keysOutOfOrder(at: 3)),
            ("a221002000", .keysOutOfOrder(at: 3)),
            ("a1616100", .keyNotInteger(at: 1)), ("a1400000", .keyNotInteger(at: 1)),
            ("a11bffffffffffffffff00", .tooLarge(at: 1)),
            ("62c328", .invalidText(at: 0)), ("63eda080", .invalidText(at: 0)),
            ("9a00010001", .tooLarge(at: 0)), ("9bffffffffffffffff", .tooLarge(at: 0)),
            ("ba00010001", .tooLarge(at: 0)), ("5bffffffffffffffff", .truncated(at: 0)),
        ])
    func refusals(hexadecimal: String, error: CBORError) {
        #expect(throws: error) { try decode(hexadecimal) }
    }

    @Test("a value that is nested too deep is refused before the stack is")
    func depth() throws {
        let deepest = [UInt8](repeating: 0x81, count: Limits.cborDepthMax - 1) + [0]
        #expect(throws: Never.self) { try CBOR.decode(deepest) }
        #expect(throws: CBORError.tooDeep(at: Limits.cborDepthMax)) {
            try CBOR.decode([0x81] + deepest)
        }
        #expect(throws: CBORError.tooDeep(at: Limits.cborDepthMax)) {
            try CBOR.decode([UInt8](repeating: 0x81, count: 500_000))
        }
    }

    @Test("more bytes than allowed are refused unread")
    func size() {
        #expect(throws: CBORError.tooLarge(at: 4)) {
            try CBOR.decode([0x44, 1, 2, 3, 4], bytesMax: 4)
        }
    }

    @Test("a statement cut off at any byte is refused")
    func truncatedAnywhere() {
        let bytes = Self.statement.encoded
        for count in bytes.indices {
            #expect(throws: CBORError.self) { try CBOR.decode(Array(bytes[..<count])) }
        }
    }

    @Test("whatever decodes is its own encoding, and nothing traps")
    func mutationsAndNoise() {
        var random = SplitMix(state: 1)
        let statement = Self.statement.encoded
        var decoded = 0
        for round in 0..<60_000 {
            var bytes = statement
            if round.isMultiple(of: 2) {
                for _ in 0...Int(random.next() % 3) {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                        truncatingIfNeeded: random.next())
                }
            } else {
                bytes = (0..<Int(random.next() % 24)).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
            }
            guard let value = try? CBOR.decode(bytes) else { continue }
            decoded += 1
            if value.encoded != bytes { Issue.record("two encodings: \(bytes)") }
        }
        #expect(decoded > 1_000)
    }

    private static let statement = CBOR.fields([
        1: .bytes(Array(0..<40)), 2: "north", 3: [1, [.integer(-300), .null], true],
        4: .fields([0: 70_000, -1: .unsigned(1 << 40)]), -1: "\u{6c34}",
    ])

    private func decode(_ hexadecimal: String) throws -> CBOR {
        try CBOR.decode(try #require(Hexadecimal.decode(hexadecimal)))
    }
}

@Suite("The fields of a statement")
struct CBORFieldsTests {
    @Test("reads each type and refuses another")
    func types() throws {
        let digest = try #require(Digest([UInt8](repeating: 7, count: 32)))
        var fields = try CBORFields(
            CBOR.fields([1: 5, 2: "text", 3: .digest(digest), 4: true, 5: [1], 6: -2]))
        #expect(try fields.unsigned(1) == 5)
        #expect(try fields.text(2) == "text")
        #expect(try fields.digest(3) == digest)
        #expect(try fields.bool(4))
        #expect(try fields.array(5) == [1])
        #expect(try fields.integer(6) == -2)
        try fields.finish()
        #expect(throws: StatementError.wrongType(field: 2)) { try fields.unsigned(2) }
        #expect(throws: StatementError.wrongType(field: 1)) { try fields.text(1) }
        #expect(throws: StatementError.outOfRange(field: 1)) { try fields.unsigned(1, max: 4) }
        #expect(throws: StatementError.missing(field: 9)) { try fields.bool(9) }
    }

    @Test("a signed field that nobody reads is refused")
    func unknownField() throws {
        var fields = try CBORFields(CBOR.fields([1: 5, 7: 6]))
        _ = try fields.unsigned(1)
        #expect(throws: StatementError.unknown(field: 7)) { try fields.finish() }
    }

    @Test("what isn't a map, or not CBOR, is refused")
    func notAMap() {
        #expect(throws: StatementError.notAMap) { try CBORFields([1]) }
        #expect(throws: StatementError.malformed(.truncated(at: 0))) {
            try CBORFields(decoding: [])
        }
    }
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
